"""Rendering an email: its subject is one line, and its headers are what a header takes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dovecote.catalog.kinds import Kind
from dovecote.catalog.rendering import Renderer, RenderError
from dovecote.channels.email import mail as mails
from dovecote.channels.email.mail import Mail
from tests.unit.examples import renderer_of

MARKUP = "<b>Ann & 'Bob'</b>"

# A hypothesis test may share one folder between its examples.
one_folder = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def renderer(folder: Path, entry: dict[str, Any] | None = None) -> tuple[Renderer, Kind]:
    return renderer_of("email", folder, entry)


def mail(folder: Path, values: dict[str, Any], entry: dict[str, Any] | None = None) -> Mail:
    one, kind = renderer(folder, entry)
    return mails.render(one, kind, None, values)


def test_the_parts_of_an_email_are_its_files(tmp_path: Path) -> None:
    made = mail(tmp_path, {"name": MARKUP})
    assert "<b>" not in made.html
    assert "&lt;b&gt;Ann &amp; &#39;Bob&#39;" in made.html
    assert made.text == f"Hello {MARKUP}"
    assert made.subject == f"Hello {MARKUP}"


def test_a_check_raises_what_rendering_raises(tmp_path: Path) -> None:
    one, kind = renderer(tmp_path)
    mails.check(one, kind, None, {"name": "Ann"})
    with pytest.raises(RenderError, match=r"subject\.txt: 'name' is undefined"):
        mails.check(one, kind, None, {})


@one_folder
@given(name=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_subject_is_one_line_whatever_a_variable_holds(tmp_path: Path, name: str) -> None:
    subject = mail(tmp_path, {"name": name}).subject
    assert len(subject.splitlines()) == 1
    assert "\r" not in subject
    assert "\n" not in subject


@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"])
def test_a_line_break_in_a_subject_becomes_a_blank(tmp_path: Path, line_break: str) -> None:
    name = f"Ann{line_break}Bcc: bob@example.com"
    assert mail(tmp_path, {"name": name}).subject == "Hello Ann Bcc: bob@example.com"


# Headers.


def test_headers_are_rendered(tmp_path: Path) -> None:
    entry = {"headers": {"X-Entity-Ref-ID": "{{ name }}-1"}}
    assert mail(tmp_path, {"name": "Ann"}, entry).headers == {"X-Entity-Ref-ID": "Ann-1"}


def test_an_unsubscribe_url_is_offered_with_one_click(tmp_path: Path) -> None:
    entry = {"unsubscribe_url": "https://example.com/u?n={{ name }}"}
    assert mail(tmp_path, {"name": "Ann"}, entry).headers == {
        "List-Unsubscribe": "<https://example.com/u?n=Ann>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def test_a_kind_without_either_has_no_headers(tmp_path: Path) -> None:
    assert mail(tmp_path, {"name": "Ann"}).headers == {}


@pytest.mark.parametrize(
    "value",
    ["", "Ann\r\nBcc: bob@example.com", "Ann\n", "\rAnn", "J\u00f6rg", "a\x00", "a\x7f", "x" * 996],
    ids=lambda value: ascii(value[:24]),
)
def test_a_header_that_is_not_one_line_of_ascii_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(RenderError, match="X-Name"):
        mail(tmp_path, {"name": value}, {"headers": {"X-Name": "{{ name }}"}})


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://example.com/",
        "javascript:alert(1)",
        "mailto:unsubscribe@example.com",
        "https://",
        "https://example.com/a b",
        "https://example.com/\r\nBcc: bob@example.com",
        "https://example.com/\n",
        "https://ex\u00e4mple.com/",
        "https://example.com/" + "x" * 900,
        # a second address in the same header
        "https://example.com/>,<https://example.org/",
    ],
    ids=lambda url: ascii(url[:48]),
)
def test_an_unsubscribe_url_that_is_not_one_https_url_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(RenderError, match="unsubscribe_url"):
        mail(tmp_path, {"name": url}, {"unsubscribe_url": "{{ name }}"})


@one_folder
@given(name=st.text(st.characters()))
def test_a_header_is_one_line_of_ascii_or_refused(tmp_path: Path, name: str) -> None:
    one, kind = renderer(tmp_path, {"headers": {"X-Name": "{{ name }}"}})
    try:
        value = mails.render(one, kind, None, {"name": name}).headers["X-Name"]
    except RenderError:
        return
    assert value.isascii()
    assert value.isprintable()


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ({"unsubscribe_url": "https://x.example/u?email={{ name }}"}, "unsubscribe_url"),
        ({"headers": {"X-Name": "{{ name }}"}}, "headers: X-Name"),
    ],
)
@pytest.mark.parametrize("make", [mails.check, mails.render], ids=["check", "render"])
def test_null_is_refused_in_headers_and_urls(
    tmp_path: Path, entry: dict[str, Any], place: str, make: Callable[..., object]
) -> None:
    plain = {f"greeting-sent/{name}": "Hello" for name in ("subject.txt", "body.html", "body.txt")}
    one, kind = renderer_of("email", tmp_path, entry, plain)
    with pytest.raises(RenderError, match=f"{place}: 'name' is null"):
        make(one, kind, None, {"name": None})
