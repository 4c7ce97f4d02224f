"""Plain templates say what Jinja2 makes of them, or are left to it."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jinja2 import StrictUndefined, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dovecote.catalog import plain

VARIABLES: dict[str, Any] = {
    "name": "<b>Ann & 'Bob'</b> \"Eve\"",
    "_1": Decimal("1.50"),
    "none_": None,
    "nested": {"a": [True, "<i>"]},
}
JINJA = {
    escapes: ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=escapes)
    for escapes in (False, True)
}

# What may mean something to Jinja2, what stands around it, and what it makes of a line break.
pieces = st.sampled_from(
    [
        *("{{", "}}", "{", "}", "{%", "%}", "{#", "#}", "{{-", "-}}", "{{+", "%", "#", "-"),
        *("{{ name }}", "{{name}}", "{{  _1 }}", "{{ none_ }}", "{{ nested }}", "{{ absent }}"),
        *("{{ true }}", "{{ None }}", "{{ not }}", "{{ range }}", "{{ self }}", "{{ name.x }}"),
        *(" ", "\n", "\r\n", "\r", "\t", "\x85", "\u2028", "name", "<p>", "&amp;", "\u00e9"),
    ]
)
sources = st.lists(pieces, max_size=8).map("".join)


@given(source=sources, escapes=st.booleans())
@example(source="{{{ name }}}", escapes=True)
@example(source="{{ name }}\n\n", escapes=False)
@example(source="{{{{ name }}", escapes=False)
def test_what_is_read_says_what_jinja_says(source: str, escapes: bool) -> None:
    template = plain.read(source, escapes=escapes)
    if template is None:
        return
    assert said(template) == said(JINJA[escapes].from_string(source))


def said(template: Any) -> tuple[bool, str | None]:
    """Return what a template says, or what it misses."""
    try:
        return True, template.render(VARIABLES)
    except (UndefinedError, plain.UndefinedVariable) as error:
        return False, getattr(error, "message", str(error))


@given(value=st.text(), escapes=st.booleans())
def test_a_value_is_escaped_as_jinja_escapes_it(value: str, escapes: bool) -> None:
    template = plain.read("<{{ name }}>", escapes=escapes)
    assert template is not None
    expected = JINJA[escapes].from_string("<{{ name }}>").render(name=value)
    assert template.render({"name": value}) == expected


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("", set()),
        ("Hello", set()),
        ("{ }}", set()),
        ("{{ name }}, {{first_name}}: {{  name  }}\n", {"name", "first_name"}),
    ],
)
def test_a_text_with_variables_is_plain(source: str, names: set[str]) -> None:
    template = plain.read(source, escapes=False)
    assert template is not None
    assert template.names == names


@pytest.mark.parametrize(
    "source",
    [
        "{% if name %}{% endif %}",
        "{# name #}",
        "{{ name|upper }}",
        "{{ name.first }}",
        "{{- name }}",
        "{{ name -}}",
        "{{ name }} {{",
        "{{{ name }}}",
        "{{ 'name' }}",
        "{{ true }}",
        "{{ not }}",
        "{{ range }}",
        "{{ self }}",
        "{{ name\n}}",
    ],
)
def test_anything_else_is_left_to_jinja(source: str) -> None:
    assert plain.read(source, escapes=False) is None
