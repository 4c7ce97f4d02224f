"""The members of a JSON object as the fields of a struct, with every fault."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

import msgspec

from dovecote.core.problems import MOST_FAULTS, Fault, in_words, pointer

Path = tuple[str | int, ...]


def convert(
    raw: Mapping[str, Any], shape: type[msgspec.Struct], path: Path, faults: list[Fault]
) -> dict[str, Any]:
    """Return the members that a struct names, converted; append the faults."""
    try:
        return msgspec.structs.asdict(msgspec.convert(raw, shape))
    except msgspec.ValidationError:  # names one fault only
        return convert_each(raw, shape, path, faults)


def convert_each(
    raw: Mapping[str, Any], shape: type[msgspec.Struct], path: Path, faults: list[Fault]
) -> dict[str, Any]:
    """Convert member by member, so that every fault is found."""
    fields = {field.name: field for field in msgspec.structs.fields(shape)}
    unknown = islice((name for name in raw if name not in fields), MOST_FAULTS)
    faults += [_unknown(path, name) for name in unknown]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        where = pointer((*path, name))
        if name not in raw and field.required:
            faults.append(Fault(where, "is missing"))
            continue
        try:
            values[name] = msgspec.convert(raw.get(name), field.type)
        except msgspec.ValidationError as error:
            faults.append(Fault(where, in_words(error)))
    return values


def _unknown(path: Path, name: str) -> Fault:
    detail = "is not supported" if name == "attachments" else "is not a known member"
    return Fault(pointer((*path, name)), detail, f"{pointer((*path, '*'))}: {detail}")
