"""Faults: real processes that are killed, and work that is shared."""
