"""Render an email by the templates of its kind."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from dovecote.catalog.kinds import Kind
from dovecote.catalog.rendering import Renderer, RenderError
from dovecote.channels.email.kind import HTML, SUBJECT, TEXT, EmailKind, section_of

_HEADER = re.compile(r"[ -~]{1,995}\Z")
_URL = re.compile(r"https://[!-;=?-~]{1,900}\Z")


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """A rendered email."""

    subject: str
    html: str
    text: str
    headers: Mapping[str, str]


def render(
    renderer: Renderer, kind: Kind, locale: str | None, variables: Mapping[str, Any]
) -> Mail:
    """Render an email; raise RenderError, or BadCatalog where a template is wrong."""
    subject = renderer.text(kind, locale, SUBJECT, variables)
    return Mail(
        subject=" ".join(subject.split()),
        html=renderer.text(kind, locale, HTML, variables),
        text=renderer.text(kind, locale, TEXT, variables),
        headers=dict(_headers(renderer, kind, variables)),
    )


def check(renderer: Renderer, kind: Kind, locale: str | None, variables: Mapping[str, Any]) -> None:
    """Raise what `render` would raise; only templates that need Jinja2 are rendered."""
    for name in EmailKind.files:
        renderer.check_text(kind, locale, name, variables)
    dict(_headers(renderer, kind, variables))


def _headers(
    renderer: Renderer, kind: Kind, variables: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    section = section_of(kind)
    for name, text in section.headers.items():
        value = renderer.line(kind, f"headers: {name}", text, variables)
        yield name, _matching(_HEADER, name, value)
    if section.unsubscribe_url is not None:
        url = renderer.line(kind, "unsubscribe_url", section.unsubscribe_url, variables)
        yield "List-Unsubscribe", f"<{_matching(_URL, 'unsubscribe_url', url)}>"
        yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"


def _matching(pattern: re.Pattern[str], name: str, text: str) -> str:
    if not pattern.match(text):
        raise RenderError(f"{name}: not the printable ASCII that a header takes")
    return text
