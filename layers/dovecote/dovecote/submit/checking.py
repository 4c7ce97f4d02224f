"""Check a notification before it is stored: its payload and messages, for each recipient."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from dovecote import channels
from dovecote.catalog.errors import BadCatalog, PayloadRefused
from dovecote.catalog.kinds import Kind
from dovecote.catalog.rendering import Renderer, RenderError
from dovecote.channels.planning import Oversized, Planner
from dovecote.core.notification import MAX_PAYLOAD_BYTES, Recipient, Submission
from dovecote.core.ports import Clock
from dovecote.core.problems import MOST_FAULTS, Fault, Problem, TooLarge, pointer
from dovecote.submit.shared_payload import PayloadSize, SharedPayload, member_rules

RENDERED = 4
"""How many bytes of a check cost as much as one byte that a template reads."""


MOST_BYTES = 2 * 1024 * 1024
"""How much of a payload the checks of one notification read in total."""

MOST_SECONDS = 5.0
"""How long the checks may take: some rules are slower than their sizes suggest."""

_TOO_MUCH = (
    "The payload must be checked again for each recipient with data and for each language; together"
    " that is more than {}. Send a smaller payload, or fewer recipients in one notification."
)


class Ids(msgspec.Struct, frozen=True, kw_only=True):
    """The ids with which the size of a message is measured."""

    user: str
    session: str

    def given(self, recipient: Recipient) -> Recipient:
        """Return a recipient with these ids, if the recipient is a user."""
        if not recipient.user_id:
            return recipient
        return msgspec.structs.replace(recipient, user_id=self.user, device_session_id=self.session)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The faults, and the places of recipients whose message does not fit with the ids given."""

    faults: list[Fault]
    oversized: list[int]


class TemplatePreview:
    """Renders the messages of a recipient and discards them."""

    def __init__(self, renderer: Renderer, planners: Mapping[str, Planner]) -> None:
        self._renderer = renderer
        self._planners = planners

    def texts(self, kind: Kind, locale: str | None) -> Hashable:
        """Return the folder of the texts that a locale has."""
        return self._renderer.folder(kind, locale)

    def reads(self, kind: Kind, locale: str | None) -> frozenset[str]:
        """Return the variables of templates that have to be rendered to be checked."""
        return self._renderer.reads(kind, locale)

    def reached(self, kind: Kind, recipient: Recipient) -> tuple[str, ...]:
        """Return the channels of a kind for which a recipient has an address."""
        return tuple(
            name
            for name in self._planners
            if name in kind.channels and recipient.address(channels.get(name).address_field)
        )

    def fault(
        self, kind: Kind, submission: Submission, recipient: Recipient
    ) -> str | Oversized | None:
        """Return why a recipient's messages cannot be made, or None."""
        variables = self._variables(kind, submission, recipient)
        try:
            for name in self.reached(kind, recipient):
                fault = self._planners[name].check(kind, submission, recipient, variables)
                if fault is not None:
                    return fault
        except RenderError as error:
            return str(error)
        return None

    def _variables(
        self, kind: Kind, submission: Submission, recipient: Recipient
    ) -> dict[str, Any]:
        """Return what the templates use of the payload with the recipient's data over it."""
        data, payload = recipient.data or {}, submission.payload
        return {
            name: data[name] if name in data else payload[name]
            for name in self._renderer.names(kind, recipient.locale)
            if name in data or name in payload
        }


class Checking:
    """The checks of one notification."""

    def __init__(
        self, kind: Kind, submission: Submission, preview: TemplatePreview, clock: Clock
    ) -> None:
        self._kind = kind
        self._submission = submission
        self._preview = preview
        self._clock = clock
        self._ends = clock() + MOST_SECONDS
        self._bytes_left = MOST_BYTES
        self._size = PayloadSize(submission)
        with_data = any(recipient.data for recipient in submission.recipients)
        self._rules = member_rules(kind.check) if with_data else None
        self._shared = SharedPayload(kind.check, self._rules, submission.payload)
        self._is_valid = False  # without data

    def find(self, ids: Ids) -> Found:
        """Return up to MOST_FAULTS faults; messages are measured with these ids.

        Raises TooLarge if the checks exceed their limit before they find a fault.
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
        """Return the faults of those recipients whose message does not fit with these ids."""
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
        detail = f"has no address for any channel of {self._kind.name}"
        faults: list[Fault] = []
        for index, recipient in enumerate(self._submission.recipients):
            if not self._preview.reached(self._kind, recipient):
                faults.append(Fault(pointer(("recipients", index)), detail))
            if len(faults) >= MOST_FAULTS:
                break
        return faults

    def _to_check(self) -> Iterator[int]:
        """Yield each place of a recipient with data, and one of those with the same messages."""
        seen: set[tuple[Hashable, tuple[str, ...]]] = set()
        for index, recipient in enumerate(self._submission.recipients):
            texts = self._preview.texts(self._kind, recipient.locale)
            same = (texts, self._preview.reached(self._kind, recipient))
            if recipient.data or same not in seen:
                yield index
            if not recipient.data:
                seen.add(same)

    def _fault(self, index: int, ids: Ids) -> Fault | Oversized | None:
        """Return a recipient's fault; any error of a schema or template is one."""
        recipient = self._submission.recipients[index]
        try:
            self._check_payload(recipient.data or {})
            return self._of_messages(index, recipient, ids)
        except PayloadRefused as refused:
            return _refusal(index, recipient, refused)
        except (Problem, BadCatalog):
            raise
        except Exception as error:  # noqa: BLE001 - a rule may raise anything
            where = pointer(_whose(index, recipient))
            return Fault(where, f"cannot be checked: {type(error).__name__}")

    def _check_payload(self, data: Mapping[str, Any]) -> None:
        """Check the payload with a recipient's data against the schema; raise PayloadRefused."""
        if self._shared.takes_alone(data) if data else self._is_valid:
            return
        self._spend(self._size.total)
        self._shared.check(data)
        self._is_valid = self._is_valid or not data

    def _spend(self, size: int) -> None:
        """Count the bytes of a check before it is made; raise TooLarge past the limits."""
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise TooLarge(_TOO_MUCH.format(f"{MOST_BYTES // 1024**2} MiB"))
        if self._clock() > self._ends:
            raise TooLarge(_TOO_MUCH.format(f"{MOST_SECONDS:g} seconds of work"))

    def _of_messages(self, index: int, recipient: Recipient, ids: Ids) -> Fault | Oversized | None:
        """Return the fault of a recipient's messages."""
        data = recipient.data or {}
        if data and self._size.with_data(data) > MAX_PAYLOAD_BYTES:
            where = pointer(_whose(index, recipient))
            return Fault(where, "makes the payload larger than 64 KiB")
        read = self._preview.reads(self._kind, recipient.locale)
        size = sum(self._size.of_member(name) for name in read if name not in data)
        self._spend(RENDERED * size)
        fault = self._preview.fault(self._kind, self._submission, ids.given(recipient))
        if isinstance(fault, str):
            where = pointer(_whose(index, recipient))
            return Fault(where, fault, f"{where}: its messages cannot be rendered")
        return fault


def _whose(index: int, recipient: Recipient) -> tuple[str | int, ...]:
    """Return the path of the recipient's data, or of the payload that all share."""
    return ("recipients", index, "data") if recipient.data else ("payload",)


def _refusal(index: int, recipient: Recipient, refused: PayloadRefused) -> Fault:
    own = bool(refused.path) and refused.path[0] in (recipient.data or {})
    whose: tuple[str | int, ...] = ("recipients", index, "data") if own else ("payload",)
    return Fault(
        pointer((*whose, *refused.path)), refused.detail, f"{pointer(whose)}{refused.rule}"
    )
