"""Bytes to a Submission, or a problem: everything that can be said without the catalog."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from dovecote.core import strict_json
from dovecote.core.addresses import BadAddress, normalised
from dovecote.core.identifiers import _CONTROLS, _INSTANT, Identifier, Instant, in_range
from dovecote.core.notification import MAX_PAYLOAD_BYTES, Recipient, Submission
from dovecote.core.problems import (
    MOST_FAULTS,
    Failure,
    Fault,
    Invalid,
    Malformed,
    Problem,
    TooLarge,
    in_words,
    pointer,
)
from dovecote.submit import idempotency_key

MAX_BODY_BYTES = 1024 * 1024


MAX_NOTIFICATIONS = 100


MAX_RECIPIENTS = 1000


_Locale = Annotated[str, Meta(pattern=r"^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*\Z", max_length=35)]


class _Body(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    kind: Annotated[str, Meta(min_length=1, max_length=128)]
    payload: dict[str, Any]
    recipients: Annotated[list[Any], Meta(min_length=1)]
    idempotency_key: Annotated[str, Meta(max_length=255)] | None = None
    deliver_at: Instant | None = None


class _Batch(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    notifications: Annotated[list[Any], Meta(min_length=1)]


class _Recipient(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    user_id: Identifier | None = None
    email: str | None = None
    device_session_id: Identifier | None = None
    locale: _Locale | None = None
    data: dict[str, Any] | None = None


def parse(body: bytes, *, key: str | None, traceparent: str | None) -> Submission:
    """Read a request to notify; `key` is the Idempotency-Key header's.

    Raises Malformed, TooLarge, or Invalid with every fault that was found.
    """
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge("The body is larger than 1 MiB.")
    return _taken(strict_json.read(body), key, traceparent)


def _taken(raw: Any, key: str | None, traceparent: str | None) -> Submission:
    if not isinstance(raw, dict):
        raise Malformed("The body is not a JSON object.")
    key = _key(raw, key)
    _check_count(raw.get("recipients"))
    faults: list[Fault] = []
    values = _converted(raw, _Body, (), faults)
    payload_text = strict_json.text(values.get("payload"))
    faults += _own_faults(values, payload_text)
    recipients = _recipients(values.get("recipients") or (), faults)
    if faults:
        raise Invalid("The notification cannot be taken.", faults)
    return Submission(
        kind=values["kind"],
        idempotency_key=key,
        payload=values["payload"],
        payload_text=payload_text,
        recipients=recipients,
        deliver_at=values["deliver_at"],
        fingerprint=fingerprint(raw, values["deliver_at"]),
        traceparent=traceparent,
    )


def parse_batch(body: bytes, *, traceparent: str | None) -> list[Submission | Problem]:
    """Read requests to notify, each as `parse` reads one, or what is wrong with it.

    Raises Malformed, TooLarge or Invalid where it is the batch itself that cannot be taken.
    """
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge("The body is larger than 1 MiB.")
    items = _items(strict_json.read_uninspected(body))
    if len(items) > MAX_NOTIFICATIONS:
        raise TooLarge(f"There are more than {MAX_NOTIFICATIONS} notifications.")
    return [_inspected(item, traceparent) for item in items]


def parse_one(body: bytes | None, *, traceparent: str | None) -> Submission | Problem:
    """Read one request of several, with its key within; return what is wrong with it."""
    if body is None:
        return Malformed("The message has no text as its body.")
    return _one(lambda: parse(body, key=None, traceparent=traceparent))


def _inspected(raw: Any, traceparent: str | None) -> Submission | Problem:
    """Take one request of a batch; return what is wrong with it."""

    def taken() -> Submission:
        strict_json.inspect(raw)
        return _taken(raw, None, traceparent)

    return _one(taken)


def _one(read: Callable[[], Submission]) -> Submission | Problem:
    """Read one request of several; whatever it raises is its own problem."""
    try:
        return read()
    except Problem as problem:
        return problem
    except Exception as error:  # noqa: BLE001 - it must not hurt the others
        return Failure(f"The notification could not be read: {type(error).__name__}.")


def _items(raw: Any) -> list[Any]:
    """Return the notifications of a batch, none of which is inspected yet."""
    if not isinstance(raw, dict):
        strict_json.inspect(raw)
        raise Malformed("The body is not a JSON object.")
    strict_json.inspect(list(raw))
    faults: list[Fault] = []
    values = _one_by_one(raw, _Batch, (), faults)
    if faults:
        raise Invalid("The batch cannot be taken.", faults)
    items: list[Any] = values["notifications"]
    return items


def _key(raw: Mapping[str, Any], header: str | None) -> str:
    """Return the idempotency key, which the body has or the Idempotency-Key header."""
    header = idempotency_key.read(header)
    named = raw.get("idempotency_key")
    if named and header and named != header:
        raise Malformed("The Idempotency-Key header and idempotency_key name different keys.")
    key = named or header
    if isinstance(key, str):
        strict_json.inspect(key)
    if not key:
        raise Malformed("There is no idempotency key, neither as a header nor in the body.")
    if isinstance(key, str) and (faults := _key_faults(key)):
        raise Invalid("The idempotency key cannot be taken.", faults)
    return str(key)


def _key_faults(key: str) -> list[Fault]:
    faults = []
    if len(key) > 255:
        faults.append(Fault("/idempotency_key", "is longer than 255 characters"))
    elif re.search(f"[{_CONTROLS}]", key):
        faults.append(Fault("/idempotency_key", "must not contain control characters"))
    return faults


def _check_count(recipients: Any) -> None:
    if isinstance(recipients, list) and len(recipients) > MAX_RECIPIENTS:
        raise TooLarge(f"There are more than {MAX_RECIPIENTS} recipients.")


def _recipients(raw: Sequence[Any], faults: list[Fault]) -> list[Recipient]:
    """Read recipients, up to MOST_FAULTS faults."""
    recipients: list[Recipient] = []
    for index, one in enumerate(raw):
        if len(faults) >= MOST_FAULTS:
            break
        recipients.append(_recipient(one, ("recipients", index), faults))
    return recipients


def _recipient(raw: Any, path: tuple[str | int, ...], faults: list[Fault]) -> Recipient:
    if not isinstance(raw, dict):
        faults.append(Fault(pointer(path), "is not an object"))
        return Recipient()
    values = _converted(raw, _Recipient, path, faults)
    if values.get("email") is not None:
        try:
            values["email"] = normalised(values["email"])
        except BadAddress as error:
            faults.append(Fault(pointer((*path, "email")), str(error)))
    return Recipient(**values)


def _own_faults(values: Mapping[str, Any], payload_text: str) -> list[Fault]:
    """Return what no type can say: sizes and ranges."""
    faults = []
    if len(payload_text.encode()) > MAX_PAYLOAD_BYTES:
        faults.append(Fault("/payload", "is larger than 64 KiB"))
    instant = values.get("deliver_at")
    if instant is not None and not in_range(instant):
        faults.append(Fault("/deliver_at", "is out of range"))
    return faults


def _converted(
    raw: Mapping[str, Any],
    shape: type[msgspec.Struct],
    path: tuple[str | int, ...],
    faults: list[Fault],
) -> dict[str, Any]:
    """Convert the members that a struct names: one by one where not all is well, to find it all."""
    try:
        return msgspec.structs.asdict(msgspec.convert(raw, shape))
    except msgspec.ValidationError:
        return _one_by_one(raw, shape, path, faults)


def _one_by_one(
    raw: Mapping[str, Any],
    shape: type[msgspec.Struct],
    path: tuple[str | int, ...],
    faults: list[Fault],
) -> dict[str, Any]:
    fields = {field.name: field for field in msgspec.structs.fields(shape)}
    unknown = islice((name for name in raw if name not in fields), MOST_FAULTS)
    faults += [_unknown(path, name) for name in unknown]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in raw and field.required:
            faults.append(Fault(pointer((*path, name)), "is missing"))
        else:
            try:
                values[name] = msgspec.convert(raw.get(name), field.type)
            except msgspec.ValidationError as error:
                faults.append(Fault(pointer((*path, name)), in_words(error)))
    return values


def _unknown(path: tuple[str | int, ...], name: str) -> Fault:
    detail = "is not a member that Dovecote knows"
    if name == "attachments":
        detail = "attachments are not supported"
    return Fault(pointer((*path, name)), detail, f"{pointer((*path, '*'))}: {detail}")


def fingerprint(raw: Mapping[str, Any], deliver_at: datetime | None) -> str:
    """Return the SHA-256 of what makes two requests the same: all as it was sent, but the time.

    migrations/ has the same for a submit in SQL, and tests/vectors/ what both have to give.
    """
    members = {name: raw[name] for name in ("kind", "payload", "recipients")}
    at = None if deliver_at is None else deliver_at.astimezone(UTC).strftime(_INSTANT)
    return hashlib.sha256(strict_json.canonical({**members, "deliver_at": at})).hexdigest()
