"""Error texts fit to be stored and logged: no recipient, no token, nothing of the payload."""


def without_words(error: BaseException) -> str:
    """Return the type of an exception and the line that raised it: its words may hold a value."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return type(error).__name__
    place = frame.tb_frame.f_code.co_filename.rpartition("/")[2]
    return f"{type(error).__name__} in {place}:{frame.tb_lineno}"
