"""Render what a kind says, by the templates of the catalog.

An undefined variable is an error. HTML is escaped, text is not.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from dovecote.catalog.errors import BadCatalog
from dovecote.catalog.kinds import Catalog, Kind
from dovecote.catalog.templates import precompiled
from dovecote.catalog.templates.folder import Templates
from dovecote.catalog.templates.precompiled import UndefinedVariable, Unit
from dovecote.core.claim import Claim
from dovecote.core.errors import CannotBeSent
from dovecote.core.parsing import strict_json

_Made = TypeVar("_Made")
_Shape = TypeVar("_Shape", bound=msgspec.Struct)


class RenderError(CannotBeSent):
    """A template cannot be rendered with these variables; the message holds no value of them."""


class Renderer:
    """The templates of a catalog folder, each loaded when it is first used.

    Those of a kind are checked when the first of them is rendered: a cold start pays for the kind
    that it is asked for, and a wrong template stops its own kind alone.
    """

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog = catalog
        self._catalog_folder = folder
        self._folder = folder / "templates"
        self._read = cache(self._units_of_file)
        self._locales = cache(self._subfolders)
        self._used = cache(self._variables)
        self._checked: set[str] = set()

    def text(self, kind: Kind, locale: str | None, name: str, variables: Mapping[str, Any]) -> str:
        """Render a template file; raise RenderError, or BadCatalog where a template is wrong."""
        self._check(kind)
        return self._render(self._unit(kind, locale, name), variables)

    def check_text(
        self, kind: Kind, locale: str | None, name: str, variables: Mapping[str, Any]
    ) -> None:
        """Raise what `text` would raise; a template that only prints variables is not rendered."""
        self._check(kind)
        unit = self._unit(kind, locale, name)
        _tried(self._templates.template(unit).check, variables, unit)

    def texts(
        self,
        kind: Kind,
        locale: str | None,
        name: str,
        shape: type[_Shape],
        variables: Mapping[str, Any],
    ) -> _Shape:
        """Render the members of a JSON file of templates; raise as `text` does."""
        self._check(kind)
        units = self._read(f"{self.folder(kind, locale)}/{name}", shape)
        return shape(**{key: self._render(unit, variables) for key, unit in units.items()})

    def line(self, kind: Kind, key: str, text: str, variables: Mapping[str, Any]) -> str:
        """Render a template that stands in a kind's entry under a key; raise RenderError."""
        self._check(kind)
        return self._render(_line(kind, key, text), variables)

    def names(self, kind: Kind, locale: str | None) -> frozenset[str]:
        """Return the variables that the templates of a kind use."""
        return self._used(kind.name, self.folder(kind, locale))[0]

    def reads(self, kind: Kind, locale: str | None) -> frozenset[str]:
        """Return the variables of those templates of a kind that do more than print them."""
        return self._used(kind.name, self.folder(kind, locale))[1]

    def _variables(self, name: str, folder: str) -> tuple[frozenset[str], frozenset[str]]:
        kind = self._catalog[name]
        self._check(kind)
        used = [self._templates.template(unit) for unit in self._units(kind, folder)]
        none = frozenset[str]()
        return none.union(*(one.names for one in used)), none.union(*(one.reads for one in used))

    def locales(self, kind: Kind) -> list[str]:
        """Return the locales that a kind has texts for, apart from the default."""
        return sorted(self._locales(kind.template).values())

    def check(self) -> None:
        """Check every template; raise BadCatalog with the file."""
        for kind in self._catalog.values():
            self._check(kind)
        inspection = self._templates.inspection
        for unit in inspection.shared():
            inspection.check(unit)

    def units(self) -> Iterator[Unit]:
        """Yield the templates of all kinds; raise BadCatalog."""
        for kind in self._catalog.values():
            for folder in self._folders(kind):
                yield from self._units(kind, folder)

    def _check(self, kind: Kind) -> None:
        """Check a kind's templates, once."""
        if kind.name in self._checked:
            return
        for folder in self._folders(kind):
            for unit in self._units(kind, folder):
                self._check_unit(kind, unit)
        self._checked.add(kind.name)

    def _check_unit(self, kind: Kind, unit: Unit) -> None:
        """Check that a template uses variables that the schema requires, or copes without."""
        uses = self._templates.uses(unit)
        optional = uses.names - uses.needed - kind.properties
        if optional:
            optional -= self._templates.sandbox.globals.keys()
        missing = sorted((uses.needed | optional) - kind.required)
        if missing:
            needed = [name for name in missing if name in uses.needed]
            place = self._templates.inspection.place(unit, (needed or missing)[0])
            fault = "does not require" if needed else "neither requires nor has as a property"
            words = f"{place}: uses {', '.join(needed or missing)}, which the schema of {kind.name}"
            raise BadCatalog(f"{words} {fault}")

    def folder(self, kind: Kind, locale: str | None) -> str:
        """Return the folder of the nearest locale: de-AT, then de, then the default."""
        wanted = (locale or "").replace("_", "-").lower()
        while wanted:
            folder = self._locales(kind.template).get(wanted)
            if folder is not None:
                return f"{kind.template}/{folder}"
            wanted = wanted.rpartition("-")[0]
        return kind.template

    def _subfolders(self, template: str) -> Mapping[str, str]:
        """Return the locale folders below a template, by their names in lower case."""
        folder = self._folder / template
        if not folder.is_dir():
            return {}
        names = [path.name for path in folder.iterdir() if path.is_dir()]
        return {name.replace("_", "-").lower(): name for name in names}

    def _folders(self, kind: Kind) -> list[str]:
        locales = self._locales(kind.template).values()
        return [kind.template, *(f"{kind.template}/{folder}" for folder in locales)]

    def _units(self, kind: Kind, folder: str) -> Iterator[Unit]:
        """Yield the templates of a kind in a folder, with those in kinds.yaml; raise BadCatalog."""
        for name, shape in _files(kind).items():
            place = f"{folder}/{name}"
            try:
                yield from self._read(place, shape).values()
            except FileNotFoundError:
                raise BadCatalog(f"templates/{place}: is missing; {kind.name} needs it") from None
            except (UnicodeDecodeError, msgspec.MsgspecError) as error:
                raise BadCatalog(f"templates/{place}: {error}") from None
        for section in kind.sections.values():
            for key, text in section.lines():
                yield _line(kind, key, text)

    def _unit(self, kind: Kind, locale: str | None, name: str) -> Unit:
        return self._read(f"{self.folder(kind, locale)}/{name}", None)[""]

    def _units_of_file(self, name: str, shape: type[msgspec.Struct] | None) -> Mapping[str, Unit]:
        """Return the templates of a JSON file by its members, or that of another file by ""."""
        place, source = f"templates/{name}", (self._folder / name).read_text("utf-8")
        if shape is None:
            return {"": Unit(place=place, name=name, source=source)}
        members = msgspec.structs.asdict(msgspec.json.decode(source, type=shape))
        return {
            key: Unit(place=f"{place}: {key}", name=None, source=text)
            for key, text in members.items()
        }

    def _render(self, unit: Unit, variables: Mapping[str, Any]) -> str:
        return _tried(self._templates.template(unit).render, variables, unit)

    @cached_property
    def _templates(self) -> Templates:
        """The templates, which a request that is refused before does not load."""
        return Templates(self._catalog_folder, precompiled.load(self._catalog_folder))


def _files(kind: Kind) -> Mapping[str, type[msgspec.Struct] | None]:
    """Return the template files that a kind's channels need."""
    needed: dict[str, type[msgspec.Struct] | None] = {}
    for channel, section in kind.sections.items():
        if channel in kind.channels:
            needed |= section.files
    return needed


def _line(kind: Kind, key: str, text: str) -> Unit:
    return Unit(place=f"kinds.yaml: {kind.name}: {key}", name=None, source=text)


def variables(claim: Claim) -> dict[str, Any]:
    """Return the payload with the recipient's data merged over it."""
    payload: dict[str, Any] = strict_json.reread(claim.payload)
    return payload if claim.data is None else {**payload, **strict_json.reread(claim.data)}


def _tried(
    make: Callable[[Mapping[str, Any]], _Made], variables: Mapping[str, Any], unit: Unit
) -> _Made:
    """Return what a template makes of variables; raise RenderError."""
    place = unit.place.removeprefix("templates/")
    try:
        return make(variables)
    except UndefinedVariable as error:
        raise RenderError(f"{place}: {error}") from None
    except Exception as error:  # noqa: BLE001 - a filter may trip over a value in any way
        # Its words could repeat a value.
        raise RenderError(f"{place}: {type(error).__name__}") from None
