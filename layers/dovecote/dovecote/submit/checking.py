"""Check a notification before it is stored: its payload and messages, for each recipient."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from dovecote.catalog.kinds import BadCatalog, Kind, PayloadRefused
from dovecote.core import strict_json
from dovecote.core.notification import MAX_PAYLOAD_BYTES, Recipient, Submission
from dovecote.core.ports import Clock
from dovecote.core.problems import MOST_FAULTS, Fault, Problem, TooLarge, pointer
from dovecote.core.route import Channel
from dovecote.submit.ports import Oversized, Preview
from dovecote.submit.shared_payload import SharedPayload, member_rules

MOST_BYTES = 2 * 1024 * 1024
"""How much of a payload the checks of one notification read in all."""

RENDERED = 4
"""How many bytes one counts for that a template reads: it takes that much longer."""

MOST_SECONDS = 5.0
"""How long the checks take at most: some rules are slower than their sizes suggest."""

_TOO_MUCH = (
    "The payload must be checked again for each recipient with data and for each language; together"
    " that is more than {}. Send a smaller payload, or fewer recipients in one notification."
)


class Ids(msgspec.Struct, frozen=True, kw_only=True):
    """The ids with which the size of a push notification is measured."""

    user: str
    session: str

    def given(self, recipient: Recipient) -> Recipient:
        """Return a recipient who has these ids, if they can be reached by push."""
        if not recipient.user_id:
            return recipient
        return replace(recipient, user_id=self.user, device_session_id=self.session)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The faults, and the places of recipients whose push does not fit with the ids given."""

    faults: list[Fault]
    oversized: list[int]


class _Work:
    """Counts how much of the payload the checks read, and their time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends = clock() + MOST_SECONDS
        self._left = MOST_BYTES

    def add(self, size: int) -> None:
        """Count a check before it is made; raise TooLarge past the limits."""
        self._left -= size
        if self._left < 0:
            raise TooLarge(_TOO_MUCH.format(f"{MOST_BYTES // 1024**2} MiB"))
        if self._clock() > self._ends:
            raise TooLarge(_TOO_MUCH.format(f"{MOST_SECONDS:g} seconds of work"))


class Checking:
    """The checks of one notification."""

    def __init__(self, kind: Kind, submission: Submission, preview: Preview, clock: Clock) -> None:
        self._kind = kind
        self._submission = submission
        self._preview = preview
        self._work = _Work(clock)
        self._size = len(submission.payload_text.encode())
        self._sizes: dict[str, int] = {}  # of members, once they are asked for
        with_data = any(recipient.data for recipient in submission.recipients)
        self._rules = member_rules(kind.check) if with_data else None
        self._shared = SharedPayload(kind.check, self._rules, submission.payload)
        self._is_well = False  # without data

    def find(self, ids: Ids) -> Found:
        """Return up to MOST_FAULTS faults; push is measured with these ids.

        Raises TooLarge if the checks are too much work, and found nothing wrong until then.
        """
        found = Found(faults=self._unreachable(), oversized=[])
        try:
            for index in self._to_check():
                if len(found.faults) >= MOST_FAULTS:
                    break
                fault = self._fault(index, ids)
                if isinstance(fault, Oversized):
                    found.oversized.append(index)
                elif fault is not None and fault not in found.faults:
                    found.faults.append(fault)
        except TooLarge:
            if not found.faults:
                raise
        return found

    def find_oversized(self, places: Sequence[int], ids: Ids) -> list[Fault]:
        """Return the faults of those recipients whose push does not fit with these ids either."""
        faults: list[Fault] = []
        for index in places:
            recipient = self._submission.recipients[index]
            fault = self._of_messages(index, recipient, ids)
            if isinstance(fault, Oversized):
                faults.append(Fault(pointer(_whose(index, recipient)), fault.detail))
            if len(faults) >= MOST_FAULTS:
                break
        return faults

    def _unreachable(self) -> list[Fault]:
        channels = self._kind.channels
        email, push = (channel in channels for channel in (Channel.EMAIL, Channel.PUSH))
        detail = f"has no address for any channel of {self._kind.name}"
        faults: list[Fault] = []
        for index, recipient in enumerate(self._submission.recipients):
            if not ((email and recipient.email) or (push and recipient.user_id)):
                faults.append(Fault(pointer(("recipients", index)), detail))
            if len(faults) >= MOST_FAULTS:
                break
        return faults

    def _to_check(self) -> Iterator[int]:
        """Yield the places of recipients with data, and one of all others who are sent the same."""
        seen: set[tuple[Hashable, bool, bool]] = set()
        for index, recipient in enumerate(self._submission.recipients):
            texts = self._preview.texts(self._kind, recipient.locale)
            same = (texts, bool(recipient.email), bool(recipient.user_id))
            if recipient.data or same not in seen:
                yield index
            if not recipient.data:
                seen.add(same)

    def _fault(self, index: int, ids: Ids) -> Fault | Oversized | None:
        """Return a recipient's fault; whatever a schema or template raises is one."""
        recipient = self._submission.recipients[index]
        try:
            self._check_payload(recipient.data or {})
            return self._of_messages(index, recipient, ids)
        except PayloadRefused as refused:
            return _refusal(index, recipient, refused)
        except (Problem, BadCatalog):
            raise
        except Exception as error:  # noqa: BLE001 - a rule may trip over a value in any way
            where = pointer(_whose(index, recipient))
            return Fault(where, f"cannot be checked: {type(error).__name__}")

    def _check_payload(self, data: Mapping[str, Any]) -> None:
        """Hold the payload with a recipient's data against the schema; raise PayloadRefused."""
        if self._shared.takes_alone(data) if data else self._is_well:
            return
        self._work.add(self._size)
        self._shared.check(data)
        self._is_well = self._is_well or not data

    def _of_messages(self, index: int, recipient: Recipient, ids: Ids) -> Fault | Oversized | None:
        """Return the fault of a recipient's messages."""
        data = recipient.data or {}
        if data and self._size_with(data) > MAX_PAYLOAD_BYTES:
            where = pointer(_whose(index, recipient))
            return Fault(where, "makes the payload larger than 64 KiB")
        read = self._preview.reads(self._kind, recipient.locale)
        self._work.add(RENDERED * sum(self._size_of(name) for name in read if name not in data))
        fault = self._preview.fault(self._kind, self._submission, ids.given(recipient))
        if isinstance(fault, str):
            where = pointer(_whose(index, recipient))
            return Fault(where, fault, f"{where}: its messages cannot be made")
        return fault

    def _size_with(self, data: Mapping[str, Any]) -> int:
        """Return the bytes of the payload with data merged over it."""
        own = len(strict_json.text(data).encode()) - 1  # its members, each with a comma
        return self._size + own - sum(map(self._size_of, data)) - (not self._submission.payload)

    def _size_of(self, name: str) -> int:
        """Return the bytes of a member of the payload with its comma; 0 without it."""
        payload = self._submission.payload
        if name in payload and name not in self._sizes:
            self._sizes[name] = len(strict_json.text({name: payload[name]}).encode()) - 1
        return self._sizes.get(name, 0)


def _whose(index: int, recipient: Recipient) -> tuple[str | int, ...]:
    """Return the path of what differs between recipients."""
    return ("recipients", index, "data") if recipient.data else ("payload",)


def _refusal(index: int, recipient: Recipient, refused: PayloadRefused) -> Fault:
    own = bool(refused.path) and refused.path[0] in (recipient.data or {})
    whose: tuple[str | int, ...] = ("recipients", index, "data") if own else ("payload",)
    return Fault(
        pointer((*whose, *refused.path)), refused.detail, f"{pointer(whose)}{refused.rule}"
    )
