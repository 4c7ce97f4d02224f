"""Layouts and partials: what templates share, and how a fault in one is found."""

from pathlib import Path
from typing import Any

import pytest

from dovecote.catalog.compile import check
from dovecote.catalog.errors import BadCatalog
from dovecote.catalog.rendering import RenderError
from tests.unit.examples import KIND, SECTIONS, Beep, Rendered, a_renderer, catalog_folder, rendered

HTML, TEXT, BODY = "greeting-sent/body.html", "greeting-sent/body.txt", "templates/greeting-sent"
MARKUP = "<b>Ann & 'Bob'</b>"
ESCAPED = "&lt;b&gt;Ann &amp; &#39;Bob&#39;&lt;/b&gt;"
LAYOUT = "<title>{% block title %}Shop{% endblock %}</title>{% block body %}{% endblock %}"


def mail(folder: Path, templates: dict[str, str], values: dict[str, Any] | None = None) -> Rendered:
    one, kind = a_renderer(catalog_folder(folder, templates=templates))
    return rendered(one, kind, None, values or {"name": MARKUP})


def refusal(folder: Path, templates: dict[str, str], entry: dict[str, Any] | None = None) -> str:
    with pytest.raises(BadCatalog) as caught:
        check(catalog_folder(folder, entry, templates), SECTIONS)
    return str(caught.value)


# What they do.


@pytest.mark.parametrize(
    ("template", "shared", "expected"),
    [
        (
            '{% extends "_layouts/page.html" %}{% block body %}{{ name }}{% endblock %}',
            {"_layouts/page.html": LAYOUT},
            f"<title>Shop</title>{ESCAPED}",
        ),
        (
            '{% extends "_layouts/page.html" %}'
            "{% block title %}{{ super() }}: {{ name }}{% endblock %}",
            {"_layouts/page.html": LAYOUT},
            f"<title>Shop: {ESCAPED}</title>",
        ),
        (
            '{% extends "_layouts/sale.html" %}{% block body %}{{ name }}{% endblock %}',
            {
                "_layouts/page.html": LAYOUT,
                "_layouts/sale.html": '{% extends "_layouts/page.html" %}'
                "{% block title %}Sale{% endblock %}",
            },
            f"<title>Sale</title>{ESCAPED}",
        ),
        (
            '{% set shop = "Nest & box" %}{% extends "_layouts/page.html" %}',
            {"_layouts/page.html": "{{ shop }} {{ name }}"},
            f"Nest &amp; box {ESCAPED}",
        ),
        (
            'A{% include "_partials/hello.html" %}Z',
            {"_partials/hello.html": "<i>{{ name }}</i>"},
            f"A<i>{ESCAPED}</i>Z",
        ),
        (
            '{% for one in [name, 5] %}{% include "_partials/one.html" %}{% endfor %}',
            {"_partials/one.html": "<li>{{ one }}</li>"},
            f"<li>{ESCAPED}</li><li>5</li>",
        ),
        (
            '{% include "_partials/deep/a.html" %}',
            {
                "_partials/deep/a.html": '<a>{% include "_partials/b.html" %}</a>',
                "_partials/b.html": "{{ name }}",
            },
            f"<a>{ESCAPED}</a>",
        ),
        (
            '{% from "_partials/macros.html" import button %}{{ button(name, 1.50) }}',
            {"_partials/macros.html": "{% macro button(a, b) %}<p>{{ a ~ b }}</p>{% endmacro %}"},
            f"<p>{ESCAPED}1.50</p>",
        ),
        (
            '{% import "_partials/macros.html" as m %}{% call m.box() %}{{ name }}{% endcall %}',
            {"_partials/macros.html": "{% macro box() %}<p>{{ caller() }}</p>{% endmacro %}"},
            f"<p>{ESCAPED}</p>",
        ),
        (
            '{% from "_partials/macros.html" import hello with context %}{{ hello() }}',
            {"_partials/macros.html": "{% macro hello() %}<p>{{ name }}</p>{% endmacro %}"},
            f"<p>{ESCAPED}</p>",
        ),
    ],
)
def test_html_is_shared_and_escaped_wherever_it_is_written(
    tmp_path: Path, template: str, shared: dict[str, str], expected: str
) -> None:
    assert mail(tmp_path, {HTML: template, **shared}).html == expected
    # text is shared in the same way, and not escaped
    folder = tmp_path / "text"
    folder.mkdir()
    texts = {
        name.replace(".html", ".txt"): text.replace(".html", ".txt")
        for name, text in shared.items()
    }
    unescaped = expected.replace(ESCAPED, MARKUP).replace("&amp;", "&")
    assert mail(folder, {TEXT: template.replace(".html", ".txt"), **texts}).text == unescaped


def test_lines_and_json_files_use_partials_too(tmp_path: Path) -> None:
    line = "{% include '_partials/hello.txt' %}"
    entry = {"footer": "to " + line}
    templates = {
        "_partials/hello.txt": "hello-{{ name }}",
        "greeting-sent/push.json": f'{{"title": "{line}", "body": "b"}}',
    }
    one, kind = a_renderer(catalog_folder(tmp_path, entry, templates))
    values = {"name": "Ann"}
    assert [one.line(kind, *own, values) for own in kind.sections["letter"].lines()] == [
        "to hello-Ann"
    ]
    assert one.texts(kind, None, "push.json", Beep, values).title == "hello-Ann"


def test_null_in_a_partial_is_named(tmp_path: Path) -> None:
    templates = {TEXT: '{% include "_partials/a.txt" %}', "_partials/a.txt": "{{ name.first }}"}
    one, kind = a_renderer(
        catalog_folder(
            tmp_path,
            {"channels": ["letter"]},
            {
                **templates,
                HTML: "",
                "greeting-sent/subject.txt": "x",
            },
        )
    )
    with pytest.raises(RenderError, match=r"'name\.first' is null"):
        one.check_text(kind, None, "body.txt", {"name": {"first": None}})


# Which variables they use.


@pytest.mark.parametrize(
    ("templates", "used", "read"),
    [
        # what an overridden block says is not used
        (
            {
                HTML: '{% extends "_layouts/a.html" %}{% block b %}{{ name }}{% endblock %}',
                "_layouts/a.html": "{% block b %}{{ other }}{% endblock %}",
            },
            {"name"},
            set(),
        ),
        (
            {HTML: '{% include "_partials/a.html" %}', "_partials/a.html": "{{ name }}"},
            {"name"},
            set(),
        ),
        (
            {HTML: '{% include "_partials/a.html" %}', "_partials/a.html": "{{ name|upper }}"},
            {"name"},
            {"name"},
        ),
    ],
)
def test_a_template_uses_what_its_layouts_and_partials_use(
    tmp_path: Path, templates: dict[str, str], used: set[str], read: set[str]
) -> None:
    entry = {"channels": ["letter"]}
    plain = {TEXT: "", "greeting-sent/subject.txt": "x"}
    one, kind = a_renderer(catalog_folder(tmp_path, entry, {**plain, **templates}))
    assert (one.names(kind, None), one.reads(kind, None)) == (used, read)


@pytest.mark.parametrize(
    "template",
    [
        "{{ coupon|default('') }}",
        "{% if coupon is defined %}{{ coupon }}{% endif %}",
        "{% if name and coupon is defined %}{{ coupon.code }}{% endif %}",
        "{{ coupon if coupon is defined else '' }}",
        "{{ coupon is defined and coupon }}",
        "{% if coupon is undefined %}{% else %}{{ coupon }}{% endif %}",
        "{% if not (coupon is undefined) %}{{ coupon }}{% endif %}",
    ],
)
def test_a_property_that_is_not_required_may_be_missing_where_a_template_copes(
    tmp_path: Path, template: str
) -> None:
    schema = {"type": "object", "required": ["name"], "properties": {"coupon": {}}}
    folder = catalog_folder(tmp_path, {"schema": schema}, {TEXT: template})
    assert check(folder, SECTIONS) == 1
    one, kind = a_renderer(folder)
    rendered(one, kind, None, {"name": "Ann"})
    # a misspelt one is still found
    assert "coupon" in refusal(tmp_path, {TEXT: template})


@pytest.mark.parametrize(
    "template",
    [
        "{{ coupon }}",
        "{% if coupon %}x{% endif %}",
        "{{ coupon|upper }}",
        "{{ coupon|default('') }}{{ coupon }}",
        "{% if coupon is defined %}{% else %}{{ coupon }}{% endif %}",
        "{% if coupon is defined or name %}{{ coupon }}{% endif %}",
    ],
)
def test_a_property_that_is_not_required_must_not_be_taken_for_granted(
    tmp_path: Path, template: str
) -> None:
    schema = {"type": "object", "required": ["name"], "properties": {"coupon": {}}}
    words = refusal(tmp_path, {TEXT: template}, {"schema": schema})
    assert words.startswith(f"{BODY}/body.txt: line 1: uses coupon")


# Faults.


@pytest.mark.parametrize(
    ("templates", "start", "words"),
    [
        # what does not exist, or lies elsewhere
        (
            {HTML: '\n{% extends "_layouts/x.html" %}'},
            f"{BODY}/body.html: line 2: ",
            "no templates/_layouts/x.html",
        ),
        (
            {HTML: '\n\n{% include "_partials/x.html" %}'},
            f"{BODY}/body.html: line 3: ",
            "no templates/_partials/x.html",
        ),
        (
            {TEXT: '{% include "greeting-sent/subject.txt" %}'},
            f"{BODY}/body.txt: line 1: ",
            "_partials/",
        ),
        ({TEXT: '{% include "../kinds.yaml" %}'}, f"{BODY}/body.txt: line 1: ", "_partials/"),
        (
            {TEXT: '{% include "_partials/../greeting-sent/subject.txt" %}'},
            f"{BODY}/body.txt: line 1: ",
            "_partials/",
        ),
        ({TEXT: '{% include "/etc/hosts.txt" %}'}, f"{BODY}/body.txt: line 1: ", "_partials/"),
        ({TEXT: "{% include name %}"}, f"{BODY}/body.txt: line 1: ", "one name"),
        (
            {TEXT: "{% include ['_partials/a.txt', '_partials/b.txt'] %}"},
            f"{BODY}/body.txt: line 1: ",
            "one name",
        ),
        # HTML and text apart: what is escaped depends on the name
        (
            {HTML: '{% include "_partials/a.txt" %}', "_partials/a.txt": ""},
            f"{BODY}/body.html: line 1: ",
            ".html",
        ),
        (
            {TEXT: '{% include "_partials/a.html" %}', "_partials/a.html": ""},
            f"{BODY}/body.txt: line 1: ",
            ".txt",
        ),
        ({"_partials/a.md": ""}, "templates/_partials/a.md: ", ".html or .txt"),
        # faults within one, used or not
        (
            {TEXT: '{% include "_partials/a.txt" %}', "_partials/a.txt": "\n{{ name"},
            "templates/_partials/a.txt: line 2: ",
            "",
        ),
        ({"_partials/a.txt": "\n\n{% if name %}"}, "templates/_partials/a.txt: line 3: ", ""),
        ({"_layouts/a.html": "\n{{ name|shout }}"}, "templates/_layouts/a.html: line 2: ", "shout"),
        (
            {"_layouts/a.html": "{% block a %}{% endblock %}\n{% block a %}{% endblock %}"},
            "templates/_layouts/a.html: line 2: ",
            "twice",
        ),
        (
            {"_partials/a.txt": '{% include "_partials/b.txt" %}'},
            "templates/_partials/a.txt: line 1: ",
            "b.txt",
        ),
        # variables beyond the schema
        (
            {TEXT: '{% include "_partials/a.txt" %}', "_partials/a.txt": "\n{{ surname }}"},
            "templates/_partials/a.txt: line 2: ",
            f"surname, which the schema of {KIND}",
        ),
        (
            {HTML: '{% extends "_layouts/a.html" %}', "_layouts/a.html": "\n\n{{ surname }}"},
            "templates/_layouts/a.html: line 3: ",
            "surname",
        ),
        (
            {
                TEXT: '{% set x = 1 %}{% include "_partials/a.txt" %}',
                "_partials/a.txt": "{{ x }}{{ y }}",
            },
            "templates/_partials/a.txt: line 1: ",
            "uses y",
        ),
        ({TEXT: "\n{{ name }}{{ surname }}"}, f"{BODY}/body.txt: line 2: ", "surname"),
        # what an import takes
        (
            {
                TEXT: '{% from "_partials/m.txt" import n %}{{ n() }}',
                "_partials/m.txt": "{% macro m() %}{% endmacro %}",
            },
            f"{BODY}/body.txt: line 1: ",
            "has no n",
        ),
        (
            {
                TEXT: '{% from "_partials/m.txt" import m %}{{ m() }}',
                "_partials/m.txt": "\n{% macro m() %}{{ name }}{% endmacro %}",
            },
            "templates/_partials/m.txt: line 2: ",
            "an import does not pass",
        ),
        # cycles
        (
            {
                TEXT: '{% include "_partials/a.txt" %}',
                "_partials/a.txt": '\n{% include "_partials/a.txt" %}',
            },
            "templates/_partials/a.txt: line 2: ",
            "itself",
        ),
        (
            {
                "_partials/a.txt": '{% include "_partials/b.txt" %}',
                "_partials/b.txt": '{% include "_partials/a.txt" %}',
            },
            "templates/_partials/b.txt: line 1: ",
            "_partials/a.txt -> _partials/b.txt -> _partials/a.txt",
        ),
        (
            {
                HTML: '{% extends "_layouts/a.html" %}',
                "_layouts/a.html": '{% extends "_layouts/a.html" %}',
            },
            "templates/_layouts/a.html: line 1: ",
            "itself",
        ),
        # extends that depends on a variable
        (
            {
                HTML: '{% if name %}{% extends "_layouts/a.html" %}{% endif %}',
                "_layouts/a.html": "",
            },
            f"{BODY}/body.html: line 1: ",
            "extends one",
        ),
        (
            {
                HTML: '{% extends "_layouts/a.html" %}\n{% extends "_layouts/a.html" %}',
                "_layouts/a.html": "",
            },
            f"{BODY}/body.html: line 2: ",
            "extends one",
        ),
    ],
)
def test_a_fault_is_told_by_file_and_line(
    tmp_path: Path, templates: dict[str, str], start: str, words: str
) -> None:
    found = refusal(tmp_path, templates)
    assert found.startswith(start)
    assert words in found
