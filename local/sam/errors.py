"""What keeps sam local from running."""


class SamError(Exception):
    """It cannot be done; the message is one line that says why and what to do."""
