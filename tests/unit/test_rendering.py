"""Rendering: what a kind says, by its templates, in the sandbox."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dovecote.catalog.kinds import Kind
from dovecote.catalog.rendering import Alert, Mail, Renderer, RenderError, variables
from tests.unit.examples import TEMPLATES, a_claim, a_renderer, catalog_folder

MARKUP = "<b>Ann & 'Bob'</b>"

# A hypothesis test may share one folder between its examples.
one_folder = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def renderer(
    folder: Path, entry: dict[str, Any] | None = None, **templates: str
) -> tuple[Renderer, Kind]:
    """Return a renderer whose templates have these texts instead: body_html=… and so on."""
    changed = {f"greeting-sent/{name.replace('_', '.')}": t for name, t in templates.items()}
    return a_renderer(catalog_folder(folder, entry, changed))


def mail(
    folder: Path,
    values: dict[str, Any],
    entry: dict[str, Any] | None = None,
    **templates: str,
) -> Mail:
    one, kind = renderer(folder, entry, **templates)
    return one.mail(kind, None, values)


def test_html_is_escaped_and_text_is_not(tmp_path: Path) -> None:
    made = mail(tmp_path, {"name": MARKUP})
    assert "<b>" not in made.html
    assert "&lt;b&gt;Ann &amp; &#39;Bob&#39;" in made.html
    assert made.text == f"Hello {MARKUP}"
    assert made.subject == f"Hello {MARKUP}"


def test_a_push_is_not_escaped(tmp_path: Path) -> None:
    one, kind = renderer(tmp_path)
    expected = Alert(title="Hello", body=f'It is {MARKUP}"')
    assert one.alert(kind, None, {"name": MARKUP + '"'}) == expected


def test_a_number_is_rendered_with_the_digits_that_were_sent(tmp_path: Path) -> None:
    assert mail(tmp_path, {"name": Decimal("1.50")}).text == "Hello 1.50"


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


# Locales.


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        # none, and one that nothing is written in: the default
        (None, "Hello"),
        ("", "Hello"),
        ("fr", "Hello"),
        ("d", "Hello"),
        # the nearest
        ("de", "Hallo"),
        ("de-DE", "Hallo"),
        ("de-CH-1996", "Hallo"),
        ("de-AT", "Servus"),
        ("de-AT-1996", "Servus"),
        # however it is spelt
        ("DE", "Hallo"),
        ("de_at", "Servus"),
        ("DE-at", "Servus"),
        # never another folder
        ("..", "Hello"),
        ("../greeting-sent/de", "Hello"),
    ],
)
def test_the_nearest_locale_speaks(tmp_path: Path, locale: str | None, expected: str) -> None:
    templates = {}
    for folder, word in (("de", "Hallo"), ("de-AT", "Servus")):
        for name, text in TEMPLATES.items():
            templates[name.replace("/", f"/{folder}/")] = text.replace("Hello", word)
    one, kind = a_renderer(catalog_folder(tmp_path, templates=templates))
    assert one.mail(kind, locale, {"name": "Ann"}).text == f"{expected} Ann"
    assert one.alert(kind, locale, {"name": "Ann"}).title == expected


# What cannot be rendered.


@pytest.mark.parametrize(
    ("template", "name"),
    [
        # undefined, at the top and within
        ("{{ name.first }}", {}),
        ("{{ name.first.short }}", {"first": {}}),
        ("{{ name[5] }}", ["Ann"]),
        ("{{ name.first }}", "Ann"),
        ("{% for x in name.all %}{% endfor %}", {}),
        ("{% if name.first %}x{% endif %}", {}),
        # arithmetic and types
        ("{{ 1 / name }}", 0),
        ("{{ name + 1 }}", "Ann"),
        ("{{ name() }}", "Ann"),
        ("{{ '%d'|format(name) }}", "Ann"),
        ("{{ name|round }}", "Ann"),
        ("{{ range(name) }}", 10**9),
        ("{{ 'x' * name }}", 10**30),
        # a filter that wants something else
        ("{% for key, value in name|dictsort %}{{ key }}{% endfor %}", "Ann"),
        ("{{ name|xmlattr }}", "Ann"),
        ("{% for key, value in name.items() %}{{ key }}{% endfor %}", ["Ann"]),
        # without an end
        ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "Ann"),
        # tricks
        ("{{ name.__class__ }}", "Ann"),
        ("{{ name.__class__.__mro__ }}", "Ann"),
        ("{{ name['__class__'] }}", "Ann"),
        ("{{ name|attr('__class__') }}", "Ann"),
        ("{{ ''.__class__.__base__.__subclasses__() }}", "Ann"),
        ("{{ '{0.__class__}'.format(name) }}", "Ann"),
        ("{{ '{0.__class__.__init__.__globals__}'.format_map({'0': name}) }}", "Ann"),
        ("{{ cycler.__init__.__globals__ }}", "Ann"),
        ("{{ self.__init__.__globals__ }}", "Ann"),
        ("{{ name.append('Bob') }}", ["Ann"]),
        ("{{ name.update({'a': 1}) }}", {}),
        ("{{ name.pop('a') }}", {"a": 1}),
    ],
    ids=str,
)
def test_what_cannot_be_rendered_is_a_render_error(
    tmp_path: Path, template: str, name: Any
) -> None:
    with pytest.raises(RenderError):
        mail(tmp_path, {"name": name}, body_txt=template)


@pytest.mark.parametrize("part", ["subject_txt", "body_html", "body_txt"])
def test_an_undefined_variable_is_told_by_its_name_and_file(tmp_path: Path, part: str) -> None:
    with pytest.raises(RenderError, match="first") as caught:
        mail(tmp_path, {"name": {}}, **{part: "{{ name.first }}"})
    assert part.replace("_", ".") in str(caught.value)


def test_an_undefined_variable_of_a_push_is_a_render_error(tmp_path: Path) -> None:
    one, kind = renderer(tmp_path)
    with pytest.raises(RenderError, match="'name' is undefined"):
        one.alert(kind, None, {})


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{{ {}[name] }}", "Ann-Secret"),
        ("{{ name + 1 }}", "Ann-Secret"),
        ("{{ '%d'|format(name) }}", "Ann-Secret"),
        ("{{ name[name] }}", {"x": "Ann-Secret"}),
    ],
    ids=str,
)
def test_a_render_error_repeats_no_value(tmp_path: Path, template: str, name: Any) -> None:
    with pytest.raises(RenderError) as caught:
        mail(tmp_path, {"name": name}, body_txt=template)
    assert "Ann-Secret" not in str(caught.value)


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
        value = one.mail(kind, None, {"name": name}).headers["X-Name"]
    except RenderError:
        return
    assert value.isascii()
    assert value.isprintable()


def test_each_template_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str | None] = []
    compiling = ImmutableSandboxedEnvironment.compile

    def noted(self: Any, source: Any, name: Any = None, *more: Any, **named: Any) -> Any:
        compiled.append(name)
        return compiling(self, source, name, *more, **named)

    monkeypatch.setattr(ImmutableSandboxedEnvironment, "compile", noted)
    one, kind = renderer(
        tmp_path,
        {"headers": {"X-Name": "{{ name|trim }}"}, "unsubscribe_url": "https://u.example/{{name}}"},
        body_html="{% if name %}{{ name }}{% endif %}",
        push_json='{"title": "{{ name|upper }}", "body": "{{ name }}"}',
    )
    for name in ("Ann", "Bob", "Eve"):
        assert one.mail(kind, None, {"name": name}).headers["X-Name"] == name
        assert name in one.alert(kind, None, {"name": name}).body
    files = [f"greeting-sent/{name}" for name in ("subject.txt", "body.html", "body.txt")]
    # the header, the URL, and the title and body of the push have no name
    assert compiled == [*files, None, None, None, None]


# Variables.


def test_data_is_merged_over_the_payload() -> None:
    claim = a_claim(payload='{"name":"all","order":1.50}', data='{"name":"Ann","extra":[1]}')
    assert variables(claim) == {"name": "Ann", "order": Decimal("1.50"), "extra": [1]}


def test_without_data_the_payload_is_all() -> None:
    assert variables(a_claim(payload='{"name":"all"}', data=None)) == {"name": "all"}
