"""Error texts fit to be stored and logged: no recipient, no token, nothing of the payload."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from dovecote import strict_json
from dovecote.model import Claim

MAX_LENGTH = 500

# Each begins where a word does, so that a long text without a match is read once. They are compiled
# by the first error: a cold start seldom has one.
_ADDRESS = r"(?<![^\s<>\",;:()])[^\s<>\",;:()]+@[^\s<>\"',;:()]+"
_ENDPOINT = r"(?<![\w:])arn:[^\s\"']*:endpoint/[^\s\"',)]+"
_LONG_WORD = r"(?<![\w:-])(?=[\w:-]*\d)[\w:-]{40,}"
_BLANK = r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+"

_SHORTEST = 3
"""A shorter value of the payload tells nothing, and would riddle the text with gaps."""

_LONGEST = 20_000
"""What is read of an error; its provider's message is far shorter."""


def without_words(error: BaseException) -> str:
    """Return the type of an exception and the line that raised it: its words may hold a value."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return type(error).__name__
    place = frame.tb_frame.f_code.co_filename.rpartition("/")[2]
    return f"{type(error).__name__} in {place}:{frame.tb_lineno}"


def scrubbed(text: str, claim: Claim) -> str:
    """Return an error's text without what the claim knows in confidence, cut to a size."""
    text = _one_line(text)
    if len(text) > _LONGEST:
        text = text[:_LONGEST].rpartition(" ")[0]  # half a secret would not be found
    text = _hidden(text, claim)
    text = re.sub(_ADDRESS, "<address>", text)
    text = re.sub(_ENDPOINT, "<endpoint>", text)
    return re.sub(_LONG_WORD, "<token>", text)[:MAX_LENGTH]


def _one_line(text: str) -> str:
    return re.sub(_BLANK, " ", text).strip()


def _hidden(text: str, claim: Claim) -> str:
    """Replace whole words that are values of the claim, the longest first."""
    names = {_one_line(value): name for value, name in _confidences(claim)}
    # Only what is there: a pattern of a whole payload costs more than a send.
    low = text.casefold()
    there = [value for value in names if len(value) >= _SHORTEST and value.casefold() in low]
    values = sorted(there, key=len, reverse=True)
    if not values:
        return text
    words = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, values))})(?!\w)", re.IGNORECASE)
    return words.sub(lambda found: names.get(found.group(), "<hidden>"), text)


def _confidences(claim: Claim) -> Iterator[tuple[str, str]]:
    """Yield what is not to be told, and what stands in its place."""
    for document in (claim.payload, claim.data):
        if document is not None:
            yield from ((leaf, "<hidden>") for leaf in _leaves(_read(document)))
    yield claim.user_id or "", "<user>"
    yield claim.device_session_id or "", "<device>"
    yield claim.resolved_email or "", "<address>"
    yield claim.endpoint or "", "<endpoint>"


def _read(document: str) -> Any:
    try:
        return strict_json.reread(document)
    except msgspec.DecodeError:
        return document


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for member in value.values():
            yield from _leaves(member)
    elif isinstance(value, list):
        for member in value:
            yield from _leaves(member)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
