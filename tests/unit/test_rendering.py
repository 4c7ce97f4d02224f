"""Rendering: what a kind says, by its templates, in the sandbox."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dovecote.catalog.kinds import Kind
from dovecote.catalog.rendering import Renderer, RenderError, variables
from tests.unit.examples import (
    TEMPLATES,
    Beep,
    Rendered,
    a_claim,
    a_renderer,
    catalog_folder,
    rendered,
)

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
) -> Rendered:
    one, kind = renderer(folder, entry, **templates)
    return rendered(one, kind, None, values)


def test_html_is_escaped_and_text_is_not(tmp_path: Path) -> None:
    made = mail(tmp_path, {"name": MARKUP})
    assert "<b>" not in made.html
    assert "&lt;b&gt;Ann &amp; &#39;Bob&#39;" in made.html
    assert made.text == f"Hello {MARKUP}"
    assert made.subject == f"Hello {MARKUP}"


def test_a_push_is_not_escaped(tmp_path: Path) -> None:
    one, kind = renderer(tmp_path)
    expected = Beep(title="Hello", body=f'It is {MARKUP}"')
    assert one.texts(kind, None, "push.json", Beep, {"name": MARKUP + '"'}) == expected


def test_a_number_is_rendered_with_the_digits_that_were_sent(tmp_path: Path) -> None:
    assert mail(tmp_path, {"name": Decimal("1.50")}).text == "Hello 1.50"


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
    assert rendered(one, kind, locale, {"name": "Ann"}).text == f"{expected} Ann"
    assert one.texts(kind, locale, "push.json", Beep, {"name": "Ann"}).title == expected


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
        one.texts(kind, None, "push.json", Beep, {})


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


def test_each_template_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str | None] = []
    compiling = ImmutableSandboxedEnvironment.compile

    def noted(self: Any, source: Any, name: Any = None, *more: Any, **named: Any) -> Any:
        compiled.append(name)
        return compiling(self, source, name, *more, **named)

    monkeypatch.setattr(ImmutableSandboxedEnvironment, "compile", noted)
    one, kind = renderer(
        tmp_path,
        {"footer": "{{ name|trim }}"},
        body_html="{% if name %}{{ name }}{% endif %}",
        push_json='{"title": "{{ name|upper }}", "body": "{{ name }}"}',
    )
    for name in ("Ann", "Bob", "Eve"):
        assert rendered(one, kind, None, {"name": name}).html == f"{name}"
        assert one.line(kind, "footer", "{{ name|trim }}", {"name": name}) == name
        assert name in one.texts(kind, None, "push.json", Beep, {"name": name}).body
    # The line and the title of push.json have no name; what only prints is not compiled.
    assert compiled == ["greeting-sent/body.html", None, None]


# Variables.


def test_data_is_merged_over_the_payload() -> None:
    claim = a_claim(payload='{"name":"all","order":1.50}', data='{"name":"Ann","extra":[1]}')
    assert variables(claim) == {"name": "Ann", "order": Decimal("1.50"), "extra": [1]}


def test_without_data_the_payload_is_all() -> None:
    assert variables(a_claim(payload='{"name":"all"}', data=None)) == {"name": "all"}
