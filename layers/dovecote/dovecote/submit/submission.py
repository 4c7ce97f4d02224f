"""Read the bytes of a body as a Submission, or its problem; the catalog is not needed."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from itertools import islice
from typing import Annotated, Any

import msgspec

from dovecote import channels
from dovecote.core.inbox import PendingSubmission
from dovecote.core.notification import MAX_PAYLOAD_BYTES, Recipient, Submission
from dovecote.core.parsing import strict_json
from dovecote.core.parsing.addresses import BadAddress
from dovecote.core.parsing.identifiers import INSTANT_FORMAT, Identifier, Instant, in_range
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

_Path = tuple[str | int, ...]


_Locale = Annotated[
    str, msgspec.Meta(pattern=r"^[A-Za-z]{2,8}([-_][A-Za-z0-9]{1,8})*\Z", max_length=35)
]


class _Body(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    kind: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    payload: dict[str, Any]
    recipients: Annotated[list[Any], msgspec.Meta(min_length=1)]
    idempotency_key: Annotated[str, msgspec.Meta(max_length=255)] | None = None
    deliver_at: Instant | None = None


class _Batch(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    notifications: Annotated[list[Any], msgspec.Meta(min_length=1)]


USER = "user_id"

ADDRESSES: Mapping[str, Callable[[str], str]] = {
    channel.address_field: channel.normalise
    for channel in channels.every().values()
    if channel.address_field != USER
}
"""The fields of recipients that hold addresses, each with what normalises them."""

_Recipient = msgspec.defstruct(
    "_Recipient",
    [
        (USER, Identifier | None, None),
        *((field, str | None, None) for field in ADDRESSES),
        ("device_session_id", Identifier | None, None),
        ("locale", _Locale | None, None),
        ("data", dict[str, Any] | None, None),
    ],
    kw_only=True,
    forbid_unknown_fields=True,
)
"""A recipient as it is posted. Its addresses are those of the channels that exist."""


def parse(body: bytes, *, key: str | None, traceparent: str | None) -> Submission:
    """Read a request to notify; `key` is the Idempotency-Key header's.

    Raises Malformed, TooLarge, or Invalid with every fault that was found.
    """
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge("The body is larger than 1 MiB.")
    return _submission(strict_json.read_uninspected(body), key, traceparent)


def parse_pending(pending: PendingSubmission) -> Submission:
    """Read a submission in SQL as the body that it would be by HTTP; raise as `parse` does."""
    body = {
        "kind": pending.kind,
        "idempotency_key": pending.idempotency_key,
        "payload": msgspec.Raw(pending.payload.encode()),
        "recipients": msgspec.Raw(pending.recipients.encode()),
        "deliver_at": pending.deliver_at,
    }
    raw = strict_json.read_uninspected(msgspec.json.encode(body))
    return _submission(raw, None, pending.traceparent)


def _submission(raw: Any, key: str | None, traceparent: str | None) -> Submission:
    strict_json.inspect(raw)
    if not isinstance(raw, dict):
        raise Malformed("The body is not a JSON object.")
    key = idempotency_key.choose(raw.get("idempotency_key"), key)
    _check_count(raw.get("recipients"))
    faults: list[Fault] = []
    values = _convert(raw, _Body, (), faults)
    payload_text = strict_json.text(values.get("payload"))
    faults += _limit_faults(values, payload_text)
    recipients = _recipients(values.get("recipients") or (), faults)
    if faults:
        raise Invalid("The notification is invalid.", faults)
    return Submission(
        kind=values["kind"],
        idempotency_key=key,
        payload=values["payload"],
        payload_text=payload_text,
        recipients=recipients,
        deliver_at=values["deliver_at"],
        digest=digest(raw, values["deliver_at"]),
        traceparent=traceparent,
    )


def parse_batch(body: bytes, *, traceparent: str | None) -> list[Submission | Problem]:
    """Read requests to notify; return each as `parse` reads it, or its problem.

    Raises Malformed, TooLarge or Invalid if the batch itself is at fault.
    """
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge("The body is larger than 1 MiB.")
    items = _items(strict_json.read_uninspected(body))
    if len(items) > MAX_NOTIFICATIONS:
        raise TooLarge(f"There are more than {MAX_NOTIFICATIONS} notifications.")
    return [_or_problem(partial(_submission, item, None, traceparent)) for item in items]


def parse_one(body: bytes | None, *, traceparent: str | None) -> Submission | Problem:
    """Read one request of several, with its key in its body; return its problem if it has one."""
    if body is None:
        return Malformed("The message has no text body.")
    return _or_problem(partial(parse, body, key=None, traceparent=traceparent))


def _or_problem(read: Callable[[], Submission]) -> Submission | Problem:
    """Read one request of several; return any error as its problem."""
    try:
        return read()
    except Problem as problem:
        return problem
    except Exception as error:  # noqa: BLE001 - it must not affect the others
        return Failure(f"The notification could not be read: {type(error).__name__}.")


def _items(raw: Any) -> list[Any]:
    """Return the notifications of a batch, not yet inspected."""
    if not isinstance(raw, dict):
        strict_json.inspect(raw)
        raise Malformed("The body is not a JSON object.")
    strict_json.inspect(list(raw))
    faults: list[Fault] = []
    values = _convert(raw, _Batch, (), faults)
    if faults:
        raise Invalid("The batch is invalid.", faults)
    items: list[Any] = values["notifications"]
    return items


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


def _recipient(raw: Any, path: _Path, faults: list[Fault]) -> Recipient:
    if not isinstance(raw, dict):
        faults.append(Fault(pointer(path), "is not an object"))
        return Recipient()
    values = _convert(raw, _Recipient, path, faults)
    addresses = _addresses(values, path, faults)
    return Recipient(addresses=addresses, **values)


def _addresses(values: dict[str, Any], path: _Path, faults: list[Fault]) -> dict[str, str]:
    """Take the addresses out of a recipient's values, and return them normalised."""
    addresses: dict[str, str] = {}
    for field, normalise in ADDRESSES.items():
        address = values.pop(field, None)
        if address is not None:
            try:
                addresses[field] = normalise(address)
            except BadAddress as error:
                faults.append(Fault(pointer((*path, field)), str(error)))
    return addresses


def _convert(
    raw: Mapping[str, Any], shape: type[msgspec.Struct], path: _Path, faults: list[Fault]
) -> dict[str, Any]:
    """Return the members that a struct names, converted; append every fault."""
    try:
        return msgspec.structs.asdict(msgspec.convert(raw, shape))
    except msgspec.ValidationError:
        return _convert_each(raw, shape, path, faults)


def _convert_each(
    raw: Mapping[str, Any], shape: type[msgspec.Struct], path: _Path, faults: list[Fault]
) -> dict[str, Any]:
    """Convert the members one by one, since msgspec stops at its first fault."""
    fields = _fields(shape)
    unknown = islice((name for name in raw if name not in fields), MOST_FAULTS)
    faults += [_unknown(path, name) for name in unknown]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in raw and field.required:
            faults.append(Fault(pointer((*path, name)), "is missing"))
            continue
        try:
            values[name] = msgspec.convert(raw.get(name), field.type)
        except msgspec.ValidationError as error:
            faults.append(Fault(pointer((*path, name)), in_words(error)))
    return values


@cache
def _fields(shape: type[msgspec.Struct]) -> Mapping[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(shape)}


def _unknown(path: _Path, name: str) -> Fault:
    detail = "is not supported" if name == "attachments" else "is not a known member"
    return Fault(pointer((*path, name)), detail, f"{pointer((*path, '*'))}: {detail}")


def _limit_faults(values: Mapping[str, Any], payload_text: str) -> list[Fault]:
    """Return the faults that types cannot express: sizes and ranges."""
    faults = []
    if len(payload_text.encode()) > MAX_PAYLOAD_BYTES:
        faults.append(Fault("/payload", "is larger than 64 KiB"))
    instant = values.get("deliver_at")
    if instant is not None and not in_range(instant):
        faults.append(Fault("/deliver_at", "is out of range"))
    return faults


def digest(raw: Mapping[str, Any], deliver_at: datetime | None) -> str:
    """Return the SHA-256 of the members that make two requests the same, with the time in UTC.

    A submit in SQL has the same when it is expanded. tests/vectors/ has results.
    """
    members = {name: raw[name] for name in ("kind", "payload", "recipients")}
    at = None if deliver_at is None else deliver_at.astimezone(UTC).strftime(INSTANT_FORMAT)
    return hashlib.sha256(strict_json.canonical({**members, "deliver_at": at})).hexdigest()
