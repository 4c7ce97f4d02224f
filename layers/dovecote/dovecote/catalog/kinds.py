"""The catalog: kinds.yaml read into kinds, or a BadCatalog that names the place."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import msgspec

from dovecote.catalog import compiled
from dovecote.catalog.errors import BadCatalog
from dovecote.catalog.schemas import Check
from dovecote.catalog.sections import Section, Sections, divided
from dovecote.core.notification import SECRET, USUAL_DAYS, Priority
from dovecote.core.parsing.addresses import BadAddress

MOST_DAYS = 32_767
"""The column of payload_days is a smallint."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

_Kind = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*\Z", max_length=128)]
_Duration = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,5}[smhd]\Z")]
_Folder = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]*\Z")]


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the catalog.

    `time_to_live` is in seconds; `max_attempts` is 0 where the default holds. `rank` is the place
    of the kind among those of its priority. `sections` has the keys of every channel, also of
    channels that the kind does not use. `properties` are the members that the schema describes.
    `payload_days` is that of its notifications.
    """

    name: str
    channels: tuple[str, ...]
    template: str
    priority: Priority
    time_to_live: float
    max_attempts: int
    sections: Mapping[str, Section]
    required: frozenset[str]
    check: Check
    properties: frozenset[str] = frozenset()
    rank: int = 0
    payload_days: int = USUAL_DAYS


Catalog = Mapping[str, Kind]

SOURCE = "kinds.yaml"
COMPILED = "kinds.json"


class _Schema(msgspec.Struct):
    type: str = ""
    required: list[str] = []
    properties: Any = {}


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    channels: Annotated[list[str], msgspec.Meta(min_length=1)]
    schema: dict[str, Any]
    template: _Folder | None = None
    priority: Priority = Priority.NORMAL
    time_to_live: _Duration = "72h"
    max_attempts: Annotated[int, msgspec.Meta(ge=0)] = 0
    payload_days: Annotated[int, msgspec.Meta(ge=1, le=MOST_DAYS)] | None = None
    secret: bool = False

    @property
    def stored_days(self) -> int:
        """Return the `payload_days` of its notifications; raise BadCatalog."""
        if not self.secret:
            return self.payload_days or USUAL_DAYS
        if self.payload_days is not None:
            raise BadCatalog("payload_days: must be absent: a secret payload is removed at once")
        return SECRET


def load(folder: Path, sections: Sections) -> Catalog:
    """Read kinds.yaml of a catalog folder, or what it was compiled to; raise BadCatalog.

    `sections` has the channels that a kind may name, and the keys that each of them adds.
    """
    try:
        source = (folder / SOURCE).read_bytes()
    except OSError as error:
        raise BadCatalog(f"{SOURCE}: {error}") from None
    kinds = compiled.read(folder / COMPILED, source) or parsed(source)
    _check_channels(kinds, sections, source)
    return _ranked([_kind(name, entry, sections) for name, entry in kinds.items()])


def _ranked(kinds: Iterable[Kind]) -> Catalog:
    ranks = {priority: count() for priority in Priority}
    return {
        kind.name: msgspec.structs.replace(kind, rank=next(ranks[kind.priority])) for kind in kinds
    }


def parsed(source: bytes) -> dict[str, Any]:
    """Return the entries that the text of kinds.yaml holds; raise BadCatalog."""
    # Not at the top: a compiled catalog needs no PyYAML.
    from dovecote.catalog import strict_yaml  # noqa: PLC0415

    try:
        document = strict_yaml.read(source.decode("utf-8"))
    except (UnicodeDecodeError, strict_yaml.BadYaml) as error:
        raise BadCatalog(f"{SOURCE}: {error}") from None
    if not isinstance(document, dict) or set(document) != {"kinds"}:
        raise BadCatalog(f"{SOURCE}: must hold one key, kinds")
    if not isinstance(document["kinds"], dict) or not document["kinds"]:
        raise BadCatalog(f"{SOURCE}: kinds: must map the name of each kind to its entry")
    return document["kinds"]


def _check_channels(kinds: Mapping[str, Any], known: Sections, source: bytes) -> None:
    """Raise BadCatalog with the line of the first channel that does not exist."""
    for name, entry in kinds.items():
        channels = entry.get("channels") if isinstance(entry, dict) else None
        for index, channel in enumerate(channels if isinstance(channels, list) else ()):
            if isinstance(channel, str) and channel not in known:
                # Not at the top: a compiled catalog whose channels exist needs no PyYAML.
                from dovecote.catalog import strict_yaml  # noqa: PLC0415

                line = strict_yaml.line_of(source.decode(), ("kinds", name, "channels", index))
                raise BadCatalog(
                    f"{SOURCE}: line {line}: {name}: channels: {channel!r} must be one of:"
                    f" {', '.join(known)}"
                )


def _kind(name: str, raw: Any, sections: Sections) -> Kind:
    with _naming(str(name)):
        msgspec.convert(name, _Kind)
        own, of_channels = divided(raw, sections)
        entry = msgspec.convert(own, _Entry)
        schema = msgspec.convert(entry.schema, _Schema)
        if schema.type != "object":
            raise BadCatalog("schema: must be of type object")
        return Kind(
            name=name,
            channels=tuple(dict.fromkeys(entry.channels)),
            template=entry.template or name.replace(".", "-"),
            priority=entry.priority,
            time_to_live=_seconds(entry.time_to_live),
            max_attempts=entry.max_attempts,
            sections={
                channel: msgspec.convert(of_channels[channel], section).checked()
                for channel, section in sections.items()
            },
            required=frozenset(schema.required),
            check=Check(f"kinds.yaml: {name}", entry.schema),
            properties=frozenset(schema.properties if isinstance(schema.properties, dict) else ()),
            payload_days=entry.stored_days,
        )


def _seconds(duration: str) -> float:
    return int(duration[:-1]) * _UNITS[duration[-1]]


@contextmanager
def _naming(kind: str) -> Iterator[None]:
    """Put the place before what is wrong with a kind."""
    try:
        yield
    except (BadCatalog, BadAddress) as error:
        raise BadCatalog(f"kinds.yaml: {kind}: {error}") from None
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        key = f"{where.strip('.`')}: " if where else ""
        raise BadCatalog(f"kinds.yaml: {kind}: {key}{what}") from None
