"""Render what a kind says, by the templates of the catalog.

An undefined variable is an error. HTML is escaped, text is not.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from dovecote.catalog import plain
from dovecote.catalog.kinds import BadCatalog, Catalog, Kind
from dovecote.core import strict_json
from dovecote.core.claim import Claim
from dovecote.core.errors import CannotBeSent
from dovecote.core.route import Channel

if TYPE_CHECKING:
    from dovecote.catalog.jinja import JinjaTemplates

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


class _Template(Protocol):
    @property
    def names(self) -> frozenset[str]: ...

    @property
    def reads(self) -> frozenset[str]: ...

    def check(self, variables: Mapping[str, Any], /) -> None: ...

    def render(self, variables: Mapping[str, Any], /) -> str: ...


class Renderer:
    """The templates of a catalog folder; compiled when first used, and kept.

    All that a kind has are held against it when the first of them is rendered: a cold start pays
    for the kind that it is asked for, and a wrong template stops its own kind alone.
    """

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        self._catalog = catalog
        self._folder = folder / "templates"
        self._file = cache(self._read_file)
        self._line = cache(self._read_line)
        self._push = cache(self._read_push)
        self._locales = cache(self._subfolders)
        self._used = cache(self._variables)
        self._well: set[str] = set()

    def mail(self, kind: Kind, locale: str | None, variables: Mapping[str, Any]) -> Mail:
        """Render an email; raise RenderError, or BadCatalog where a template is wrong."""
        self._hold(kind)
        folder = self.folder(kind, locale)
        subject, html, text = (
            _tried(self._file(f"{folder}/{name}").render, variables, f"{folder}/{name}")
            for name in _EMAIL_FILES
        )
        return Mail(
            subject=" ".join(subject.split()),
            html=html,
            text=text,
            headers=dict(self._headers(kind, variables)),
        )

    def check_mail(self, kind: Kind, locale: str | None, variables: Mapping[str, Any]) -> None:
        """Raise what `mail` would raise; only templates that need Jinja2 are rendered."""
        self._hold(kind)
        folder = self.folder(kind, locale)
        for name in _EMAIL_FILES:
            _tried(self._file(f"{folder}/{name}").check, variables, f"{folder}/{name}")
        dict(self._headers(kind, variables))

    def alert(self, kind: Kind, locale: str | None, variables: Mapping[str, Any]) -> Alert:
        """Render the title and body of a push notification; raise as for an email."""
        self._hold(kind)
        push = self._push(self.folder(kind, locale))
        return Alert(
            title=_tried(self._line(push.title).render, variables),
            body=_tried(self._line(push.body).render, variables),
        )

    def names(self, kind: Kind, locale: str | None) -> frozenset[str]:
        """Return the variables that the templates of a kind use."""
        return self._used(kind.name, self.folder(kind, locale))[0]

    def reads(self, kind: Kind, locale: str | None) -> frozenset[str]:
        """Return the variables of those templates of a kind that need Jinja2."""
        return self._used(kind.name, self.folder(kind, locale))[1]

    def _variables(self, name: str, folder: str) -> tuple[frozenset[str], frozenset[str]]:
        kind = self._catalog[name]
        self._hold(kind)
        lines = [text for _, text in self._lines(kind)]
        if Channel.PUSH in kind.channels:
            push = self._push(folder)
            lines += (push.title, push.body)
        files = _EMAIL_FILES if Channel.EMAIL in kind.channels else ()
        used = [*map(self._line, lines), *(self._file(f"{folder}/{name}") for name in files)]
        none = frozenset[str]()
        return none.union(*(one.names for one in used)), none.union(*(one.reads for one in used))

    def locales(self, kind: Kind) -> list[str]:
        """Return the locales that a kind has texts for, beside those of no locale."""
        return sorted(self._locales(kind.template).values())

    def check(self) -> None:
        """Hold every template against its kind; raise BadCatalog naming the file."""
        for kind in self._catalog.values():
            self._hold(kind)

    def _hold(self, kind: Kind) -> None:
        """Hold a kind's templates against it, once."""
        if kind.name in self._well:
            return
        for folder in self._folders(kind):
            for name in self._files(kind):
                self._check_file(kind, f"{folder}/{name}")
        for key, text in self._lines(kind):
            self._check_source(kind, f"kinds.yaml: {kind.name}: {key}", text)
        self._well.add(kind.name)

    def _headers(self, kind: Kind, variables: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        for name, text in kind.headers.items():
            yield name, _matching(_HEADER, name, _tried(self._line(text).render, variables))
        if kind.unsubscribe_url is not None:
            url = _tried(self._line(kind.unsubscribe_url).render, variables)
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

    def _files(self, kind: Kind) -> list[str]:
        email = _EMAIL_FILES if Channel.EMAIL in kind.channels else ()
        push = (_PUSH_FILE,) if Channel.PUSH in kind.channels else ()
        return [*email, *push]

    def _lines(self, kind: Kind) -> Iterator[tuple[str, str]]:
        yield from ((f"headers: {name}", text) for name, text in kind.headers.items())
        if kind.unsubscribe_url is not None:
            yield "unsubscribe_url", kind.unsubscribe_url

    def _read_file(self, name: str) -> _Template:
        escapes = name.endswith(".html")
        source = self._source(name)
        return plain.read(source, escapes=escapes) or self._jinja.file(name, source)

    def _read_line(self, text: str) -> _Template:
        return plain.read(text, escapes=False) or self._jinja.line(text)

    def _source(self, name: str) -> str:
        return (self._folder / name).read_text("utf-8")

    @cached_property
    def _jinja(self) -> "JinjaTemplates":
        """What few templates need, and so few cold starts load."""
        from dovecote.catalog.jinja import JinjaTemplates  # noqa: PLC0415

        return JinjaTemplates(self._folder)

    def _read_push(self, folder: str) -> _Push:
        text = (self._folder / folder / _PUSH_FILE).read_bytes()
        return msgspec.json.decode(text, type=_Push)

    def _check_file(self, kind: Kind, name: str) -> None:
        place = f"templates/{name}"
        try:
            if name.endswith(_PUSH_FILE):
                push = self._push(name.removesuffix(f"/{_PUSH_FILE}"))
                self._check_source(kind, f"{place}: title", push.title)
                self._check_source(kind, f"{place}: body", push.body)
            else:
                self._check_source(kind, place, self._source(name))
        except FileNotFoundError:
            raise BadCatalog(f"{place}: is missing; {kind.name} needs it") from None
        except (UnicodeDecodeError, msgspec.MsgspecError) as error:
            raise BadCatalog(f"{place}: {error}") from None

    def _check_source(self, kind: Kind, place: str, source: str) -> None:
        template = plain.read(source, escapes=False)
        names = template.names if template else self._jinja.names(place, source)
        missing = names - kind.required
        if missing:
            raise BadCatalog(
                f"{place}: uses {', '.join(sorted(missing))}, which the schema of {kind.name}"
                " does not require"
            )


def variables(claim: Claim) -> dict[str, Any]:
    """Return the payload with the recipient's data merged over it."""
    payload: dict[str, Any] = strict_json.reread(claim.payload)
    return payload if claim.data is None else {**payload, **strict_json.reread(claim.data)}


def _tried(
    make: Callable[[Mapping[str, Any]], _Made], variables: Mapping[str, Any], name: str = "template"
) -> _Made:
    """Return what a template makes of variables; raise RenderError."""
    try:
        return make(variables)
    except plain.UndefinedVariable as error:
        raise RenderError(f"{name}: {error}") from None
    except Exception as error:  # noqa: BLE001 - a filter may trip over a value in any way
        # Its words could repeat a value.
        raise RenderError(f"{name}: {type(error).__name__}") from None


def _matching(pattern: re.Pattern[str], name: str, text: str) -> str:
    if not pattern.match(text):
        raise RenderError(f"{name}: not the printable ASCII that a header takes")
    return text
