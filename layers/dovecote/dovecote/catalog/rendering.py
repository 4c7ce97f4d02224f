"""Render what a kind says, by the templates of the catalog.

An undefined variable is an error. HTML is escaped, text is not.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from dovecote.catalog.kinds import BadCatalog, Catalog, Kind
from dovecote.catalog.templates import light_jinja, precompiled
from dovecote.catalog.templates.precompiled import UndefinedVariable, Unit
from dovecote.core import strict_json
from dovecote.core.claim import Claim
from dovecote.core.errors import CannotBeSent
from dovecote.core.route import Channel

if TYPE_CHECKING:
    from dovecote.catalog.templates.folder import Templates
    from dovecote.catalog.templates.jinja import JinjaTemplate

_Made = TypeVar("_Made")

_EMAIL_FILES = ("subject.txt", "body.html", "body.txt")
_PUSH_FILE = "push.json"
_HEADER = re.compile(r"[ -~]{1,995}\Z")
_URL = re.compile(r"https://[!-;=?-~]{1,900}\Z")


class RenderError(CannotBeSent):
    """A template cannot be rendered with these variables; the message holds no value of them."""


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A rendered email."""

    subject: str
    html: str
    text: str
    headers: Mapping[str, str]


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """What a phone shows of a push notification."""

    title: str
    body: str


class _Push(msgspec.Struct, forbid_unknown_fields=True):
    title: str
    body: str


class Renderer:
    """The templates of a catalog folder, each loaded when it is first used.

    Those of a kind are checked when the first of them is rendered: a cold start pays for the kind
    that it is asked for, and a wrong template stops its own kind alone.
    """

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog = catalog
        self._catalog_folder = folder
        self._folder = folder / "templates"
        self._template = cache(self._load)
        self._file = cache(self._read_file)
        self._push = cache(self._read_push)
        self._locales = cache(self._subfolders)
        self._used = cache(self._variables)
        self._checked: set[str] = set()

    def mail(self, kind: Kind, locale: str | None, variables: Mapping[str, Any]) -> Mail:
        """Render an email; raise RenderError, or BadCatalog where a template is wrong."""
        self._check(kind)
        folder = self.folder(kind, locale)
        subject, html, text = (
            self._render(self._file(f"{folder}/{name}"), variables) for name in _EMAIL_FILES
        )
        return Mail(
            subject=" ".join(subject.split()),
            html=html,
            text=text,
            headers=dict(self._headers(kind, variables)),
        )

    def check_mail(self, kind: Kind, locale: str | None, variables: Mapping[str, Any]) -> None:
        """Raise what `mail` would raise; templates that only print variables are not rendered."""
        self._check(kind)
        folder = self.folder(kind, locale)
        for name in _EMAIL_FILES:
            unit = self._file(f"{folder}/{name}")
            _tried(self._template(unit).check, variables, unit)
        dict(self._headers(kind, variables))

    def alert(self, kind: Kind, locale: str | None, variables: Mapping[str, Any]) -> Alert:
        """Render the title and body of a push notification; raise as for an email."""
        self._check(kind)
        title, body = self._push_units(self.folder(kind, locale))
        return Alert(title=self._render(title, variables), body=self._render(body, variables))

    def names(self, kind: Kind, locale: str | None) -> frozenset[str]:
        """Return the variables that the templates of a kind use."""
        return self._used(kind.name, self.folder(kind, locale))[0]

    def reads(self, kind: Kind, locale: str | None) -> frozenset[str]:
        """Return the variables of those templates of a kind that do more than print them."""
        return self._used(kind.name, self.folder(kind, locale))[1]

    def _variables(self, name: str, folder: str) -> tuple[frozenset[str], frozenset[str]]:
        kind = self._catalog[name]
        self._check(kind)
        used = [self._template(unit) for unit in self._units(kind, folder)]
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
        optional = uses.names - uses.needed - kind.properties - self._templates.globals
        missing = sorted((uses.needed | optional) - kind.required)
        if missing:
            needed = [name for name in missing if name in uses.needed]
            place = self._templates.inspection.place(unit, (needed or missing)[0])
            fault = "does not require" if needed else "neither requires nor has as a property"
            words = f"{place}: uses {', '.join(needed or missing)}, which the schema of {kind.name}"
            raise BadCatalog(f"{words} {fault}")

    def _headers(self, kind: Kind, variables: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for name, text in kind.headers.items():
            yield name, _matching(_HEADER, name, self._render(_header(kind, name, text), variables))
        if kind.unsubscribe_url is not None:
            url = self._render(_unsubscribe_url(kind, kind.unsubscribe_url), variables)
            yield "List-Unsubscribe", f"<{_matching(_URL, 'unsubscribe_url', url)}>"
            yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"

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
        name = ""
        try:
            for name in _EMAIL_FILES if Channel.EMAIL in kind.channels else ():
                yield self._file(f"{folder}/{name}")
            if Channel.PUSH in kind.channels:
                name = _PUSH_FILE
                yield from self._push_units(folder)
        except FileNotFoundError:
            raise BadCatalog(
                f"templates/{folder}/{name}: is missing; {kind.name} needs it"
            ) from None
        except (UnicodeDecodeError, msgspec.MsgspecError) as error:
            raise BadCatalog(f"templates/{folder}/{name}: {error}") from None
        for header, text in kind.headers.items():
            yield _header(kind, header, text)
        if kind.unsubscribe_url is not None:
            yield _unsubscribe_url(kind, kind.unsubscribe_url)

    def _push_units(self, folder: str) -> tuple[Unit, Unit]:
        push, place = self._push(folder), f"templates/{folder}/{_PUSH_FILE}"
        title = Unit(place=f"{place}: title", name=None, source=push.title)
        return title, Unit(place=f"{place}: body", name=None, source=push.body)

    def _read_file(self, name: str) -> Unit:
        source = (self._folder / name).read_text("utf-8")
        return Unit(place=f"templates/{name}", name=name, source=source)

    def _read_push(self, folder: str) -> _Push:
        text = (self._folder / folder / _PUSH_FILE).read_bytes()
        return msgspec.json.decode(text, type=_Push)

    def _load(self, unit: Unit) -> "JinjaTemplate":
        return self._templates.template(unit)

    def _render(self, unit: Unit, variables: Mapping[str, Any]) -> str:
        return _tried(self._template(unit).render, variables, unit)

    @cached_property
    def _templates(self) -> "Templates":
        """The engine, which a request that is refused before does not load."""
        compiled = precompiled.load(self._catalog_folder)
        if compiled:
            light_jinja.load()
        from dovecote.catalog.templates.folder import Templates  # noqa: PLC0415

        return Templates(self._catalog_folder, compiled)


def _header(kind: Kind, name: str, text: str) -> Unit:
    return Unit(place=f"kinds.yaml: {kind.name}: headers: {name}", name=None, source=text)


def _unsubscribe_url(kind: Kind, text: str) -> Unit:
    return Unit(place=f"kinds.yaml: {kind.name}: unsubscribe_url", name=None, source=text)


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


def _matching(pattern: re.Pattern[str], name: str, text: str) -> str:
    if not pattern.match(text):
        raise RenderError(f"{name}: not the printable ASCII that a header takes")
    return text
