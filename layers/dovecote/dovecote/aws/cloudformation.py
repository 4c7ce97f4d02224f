"""Custom resources of CloudFormation: a request in, an answer out, whatever happens in between.

An answer that never comes holds a deployment up for an hour. So this imports nothing that could
fail, and the work is imported and done by a thread that is waited for no longer than there is time.

Never log a request: whoever reads its ResponseURL can answer in its place.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

PHYSICAL_ID = "dovecote-schema"
"""Always the same: with another one CloudFormation would have the old one deleted."""

ANSWER_SECONDS = 20.0
"""What is kept of the function's time to answer."""

GRACE_SECONDS = 5.0
"""What work gets beyond the time that it is to keep to, before it is given up."""

PAUSES = (0.5, 1.0, 2.0)
"""How long until each further try to answer; with SEND_SECONDS each, all fit into the time kept."""

SEND_SECONDS = 3.0

MOST_REASON_BYTES = 1500
"""CloudFormation takes 4 KB in all; the ids that it gave take one, and quotes count twice."""

IDS = ("StackId", "RequestId", "LogicalResourceId")
"""The members of a request that its answer repeats."""

Work = Callable[[Mapping[str, Any], float], Mapping[str, str]]
"""Takes the resource's properties and the seconds there are; returns its attributes."""


class Lost(Exception):
    """CloudFormation did not get its answer; Lambda asks again after an exception."""


class Unreadable(Exception):
    """An event of CloudFormation that has not all that an answer needs."""


def asks(event: Any) -> bool:
    """Return whether CloudFormation sent an event; any other is a direct invocation."""
    return isinstance(event, dict) and "RequestType" in event


def answer(event: Mapping[str, Any], work: Work, seconds: float) -> None:
    """Do the work of a request within so many seconds, and answer it; raise Lost or Unreadable.

    A deletion asks for no work: the data stays.
    """
    kind, url, properties = _read(event)
    ids = {name: event[name] for name in IDS}
    document = {"Status": "SUCCESS", "PhysicalResourceId": PHYSICAL_ID, **ids}
    if kind != "Delete":
        document |= _outcome(properties, work, seconds - ANSWER_SECONDS)
    _put(url, json.dumps(document, ensure_ascii=False).encode())


def _read(event: Mapping[str, Any]) -> tuple[str, str, Mapping[str, Any]]:
    """Return the kind of a request, the URL of its answer, and the properties of its resource."""
    texts = {name: event.get(name) for name in ("RequestType", "ResponseURL", *IDS)}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise Unreadable(f"{name}: must be a string")
    kind, url, *_ = (str(text) for text in texts.values())
    if kind not in ("Create", "Update", "Delete"):
        raise Unreadable("RequestType: must be one of: Create, Update, Delete")
    if not url.startswith(("https://", "http://")):
        raise Unreadable("ResponseURL: must be a URL")
    properties = event.get("ResourceProperties", {})
    if not isinstance(properties, dict):
        raise Unreadable("ResourceProperties: must be an object")
    return kind, url, properties


def digest(values: Sequence[str]) -> str:
    """Return what is another string where one of the values is another one."""
    return hashlib.sha256(json.dumps(list(values)).encode()).hexdigest()[:16]


def _outcome(properties: Mapping[str, Any], work: Work, seconds: float) -> dict[str, Any]:
    """Return what work came to, or that it came to no end."""
    outcome: dict[str, Any] = {"Status": "FAILED", "Reason": "The function's time ran out."}

    def run() -> None:
        outcome.update(_done(properties, work, seconds - GRACE_SECONDS))

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(max(0.0, seconds))
    return dict(outcome)


def _done(properties: Mapping[str, Any], work: Work, seconds: float) -> dict[str, Any]:
    try:
        data = work(properties, seconds)
    except Exception as error:  # noqa: BLE001 - whatever it is, CloudFormation is answered
        return {"Status": "FAILED", "Reason": _reason(error)}
    return {"Status": "SUCCESS", "Reason": "", "Data": dict(data)}


def _reason(error: Exception) -> str:
    """Return why, in the words of Dovecote's own errors alone: others may repeat a secret."""
    if type(error).__module__.startswith("dovecote."):
        words = " ".join(str(error).split())
        return words.encode(errors="ignore")[:MOST_REASON_BYTES].decode(errors="ignore")
    logging.getLogger(__name__).error("provisioning failed", exc_info=error)
    return f"{type(error).__name__}: see the function's log."


def _put(url: str, body: bytes) -> None:
    """Put an answer where CloudFormation waits for it: a presigned URL of S3."""
    for pause in (0.0, *PAUSES):
        time.sleep(pause)
        problem = _sent(url, body)
        if problem is None:
            return
    raise Lost(f"CloudFormation did not take the answer: {problem}")


def _sent(url: str, body: bytes) -> str | None:
    """Send an answer; return why that failed, or None."""
    # A content type would have to be in the signature.
    headers = {"Content-Type": ""}
    request = Request(url, data=body, headers=headers, method="PUT")  # noqa: S310 - of the event
    try:
        with urlopen(request, timeout=SEND_SECONDS):  # noqa: S310 - the same
            return None
    except HTTPError as error:
        with error:
            return f"HTTP {error.code}"
    except (OSError, HTTPException) as error:
        return type(error).__name__  # its words may repeat the URL
