"""The registry of channels: one folder in this package and one line here for each."""

NAMES = (
    "email",
    "push",
)
"""The channels. A channel's place is its number in the lanes of stored routes: append only."""
