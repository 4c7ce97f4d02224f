"""The catalog: the one that is shipped is well, and a wrong one is refused with its place."""

import shutil
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovecote.catalog.compile import check, compile_catalog
from dovecote.catalog.errors import BadCatalog, PayloadRefused
from dovecote.catalog.kinds import Kind, load
from dovecote.channels import NAMES, sections
from dovecote.core.notification import SECRET, USUAL_DAYS, Priority
from dovecote.core.parsing import strict_json
from tests import catalogs
from tests.sending import kind_of
from tests.unit.examples import ENTRY, KIND, SECTIONS, TEMPLATES, Letter, Pager, catalog_folder

SHIPPED = catalogs.shipped()
KINDS = load(SHIPPED, sections())


def refusal(folder: Path) -> str:
    """Return in what words a catalog is refused."""
    with pytest.raises(BadCatalog) as caught:
        check(folder, SECTIONS)
    return str(caught.value)


def one_kind(folder: Path, **entry: Any) -> Kind:
    return load(catalog_folder(folder, entry), SECTIONS)[KIND]


# What is well.


def test_the_shipped_catalog_is_well() -> None:
    assert check(SHIPPED, sections()) == len(KINDS) >= 3 + len(NAMES)


def test_the_shipped_catalog_has_each_channel_alone_all_together_and_a_second_locale() -> None:
    channels = {kind.channels for kind in KINDS.values()}
    assert {*((name,) for name in NAMES), tuple(NAMES)} <= channels
    assert any(path.is_dir() for path in SHIPPED.glob("templates/*/*"))
    urgent = KINDS[kind_of()]
    assert urgent.priority is Priority.HIGH
    assert urgent.time_to_live <= 3600


def test_an_entry_that_says_little_has_the_defaults(tmp_path: Path) -> None:
    kind = one_kind(tmp_path)
    assert kind.template == "greeting-sent"
    assert kind.priority is Priority.NORMAL
    assert kind.time_to_live == 72 * 3600
    assert kind.max_attempts == 0
    assert kind.sections == {"letter": Letter(), "pager": Pager()}
    assert kind.required == {"name"}


def test_an_entry_that_says_all_is_read(tmp_path: Path) -> None:
    entry = {
        "channels": ["pager", "letter"],
        "template": "greeting-sent",
        "priority": "low",
        "time_to_live": "15m",
        "max_attempts": 3,
        "footer": "to {{ name }}",
    }
    kind = one_kind(tmp_path, **entry)
    assert kind.channels == ("pager", "letter")
    assert (kind.priority, kind.time_to_live, kind.max_attempts) == (Priority.LOW, 900, 3)
    assert kind.sections["letter"] == Letter(footer="to {{ name }}")
    assert check(tmp_path, SECTIONS) == 1


@pytest.mark.parametrize(
    ("entry", "days"),
    [({}, USUAL_DAYS), ({"secret": False}, USUAL_DAYS), ({"payload_days": 30}, 30),
     ({"secret": True}, SECRET)],
)  # fmt: skip
def test_a_payload_is_kept_for_days_or_secret(
    tmp_path: Path, entry: dict[str, Any], days: int
) -> None:
    assert one_kind(tmp_path, **entry).payload_days == days


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("15m", 900), ("6h", 21_600), ("72h", 259_200), ("2d", 172_800)],
)
def test_a_duration_is_a_number_and_a_unit(tmp_path: Path, text: str, seconds: int) -> None:
    assert one_kind(tmp_path, time_to_live=text).time_to_live == seconds


# Entries that are wrong.


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        # channels
        ({"channels": []}, ("channels",)),
        ({"channels": "letter"}, ("channels",)),
        ({"channels": None}, ("channels",)),
        # a key that the catalog does not know
        ({"colour": "red"}, ("colour",)),
        # the others by their type
        ({"template": "../../etc"}, ("template",)),
        ({"template": ""}, ("template",)),
        ({"priority": "urgent"}, ("priority", "urgent")),
        ({"max_attempts": -1}, ("max_attempts",)),
        ({"max_attempts": "8"}, ("max_attempts",)),
        ({"payload_days": 0}, ("payload_days",)),
        ({"payload_days": 32_768}, ("payload_days",)),
        ({"payload_days": 5, "secret": True}, ("payload_days", "secret")),
        ({"secret": "yes"}, ("secret",)),
        ({"footer": 5}, ("footer",)),
        # durations
        ({"time_to_live": "72"}, ("time_to_live",)),
        ({"time_to_live": 72}, ("time_to_live",)),
        ({"time_to_live": "0h"}, ("time_to_live",)),
        ({"time_to_live": "-1h"}, ("time_to_live",)),
        ({"time_to_live": "1.5h"}, ("time_to_live",)),
        ({"time_to_live": "3 days"}, ("time_to_live",)),
        ({"time_to_live": "72h\n"}, ("time_to_live",)),
        ({"time_to_live": "9999999d"}, ("time_to_live",)),
        # schemas that are no schema of an object
        ({"schema": "object"}, ("schema",)),
        ({"schema": {"required": ["name"]}}, ("schema",)),
        ({"schema": {"type": "array"}}, ("schema",)),
        ({"schema": {"type": "object", "required": "name"}}, ("required",)),
        ({"schema": {"type": "object", "properties": 5}}, ("schema",)),
        ({"schema": {"type": "object", "properties": {"a": 5}}}, ("schema",)),
        ({"schema": {"type": "object", "properties": {"a": {"type": "text"}}}}, ("schema",)),
        ({"schema": {"type": "object", "properties": {"a": {"minimum": "x"}}}}, ("schema",)),
        ({"schema": {"type": "object", "properties": {"a": {"pattern": "["}}}}, ("schema",)),
        ({"schema": {"type": "object", "properties": {"a": {"items": 5}}}}, ("schema",)),
        ({"schema": {"type": "object", "additionalProperties": 5}}, ("schema",)),
        ({"schema": {"type": "object", "allOf": 5}}, ("schema",)),
        ({"schema": {"type": "object", "$ref": "#/definitions/none"}}, ("schema",)),
        ({"schema": {"type": "object", "$ref": "http://127.0.0.1:9/x"}}, ("schema",)),
    ],
    ids=str,
)
def test_a_wrong_entry_is_refused_by_file_kind_and_key(
    tmp_path: Path, entry: dict[str, Any], named: tuple[str, ...]
) -> None:
    words = refusal(catalog_folder(tmp_path, entry))
    assert words.startswith(f"kinds.yaml: {KIND}: ")
    for word in named:
        assert word in words


@pytest.mark.parametrize(
    ("text", "line", "channel"),
    [
        ("channels: [letter, fax]", 3, "fax"),
        ("schema: {type: object}\n    channels:\n      - fax", 5, "fax"),
        ("channels:\n      - letter\n      # none of ours\n      - Letter", 6, "Letter"),
        ("channels: ['', letter]", 3, ""),
        ("<<: {channels: [fax]}", 3, "fax"),
    ],
)
def test_an_unknown_channel_is_refused_with_its_line_and_the_channels_that_exist(
    tmp_path: Path, text: str, line: int, channel: str
) -> None:
    (tmp_path / "kinds.yaml").write_text(f"kinds:\n  {KIND}:\n    {text}\n")
    assert refusal(tmp_path) == (
        f"kinds.yaml: line {line}: {KIND}: channels: {channel!r} must be one of: letter, pager"
    )


def test_an_unknown_channel_of_a_compiled_catalog_is_refused_with_its_line(tmp_path: Path) -> None:
    folder = catalog_folder(tmp_path)
    assert compile_catalog(folder, SECTIONS)
    with pytest.raises(
        BadCatalog, match=r"^kinds.yaml: line \d: .*\'pager\' must be one of: letter$"
    ):
        load(folder, {"letter": Letter})


@pytest.mark.parametrize("name", ["Order.Shipped", "order shipped", ".order", "order.", "1", "a\n"])
def test_a_kind_has_a_plain_name(tmp_path: Path, name: str) -> None:
    text = f'kinds: {{"{name.encode("unicode_escape").decode()}": {{}}}}'
    (tmp_path / "kinds.yaml").write_text(text)
    assert refusal(tmp_path).startswith("kinds.yaml: ")


# Files that are wrong.


@pytest.mark.parametrize(
    ("text", "named"),
    [
        # not YAML
        ("kinds:\n  a: [\n", "line 3"),
        ("kinds:\n\ta: b\n", "line 2"),
        ("kinds:\n  a: &x\n  b: *y\n", "line 3"),
        ("kinds: !!python/object:os.system {}\n", "line 1"),
        ("a: \x07\n", "kinds.yaml"),
        # a key that stands twice, at any depth
        ("kinds: {}\nkinds: {}\n", "line 2"),
        ("kinds:\n  a: {}\n  b: {}\n  a: {}\n", "line 4"),
        ("kinds:\n  a:\n    channels: [email]\n    channels: [push]\n", "line 4"),
        # a key that is no text
        ("kinds:\n  ? [a]\n  : {}\n", "kinds.yaml"),
        ("kinds: {5: {}}\n", "5"),
        ("kinds: {null: {}}\n", "None"),
        # not a catalog
        ("", "kinds"),
        ("[]\n", "kinds"),
        ("kind: {}\n", "kinds"),
        ("kinds: {}\nmore: {}\n", "kinds"),
        ("kinds:\n", "kinds"),
        ("kinds: {}\n", "kinds"),
        ("kinds: []\n", "kinds"),
        ("kinds: {a.b: }\n", "a.b"),
        ("kinds: {a.b: []}\n", "a.b"),
    ],
    ids=ascii,
)
def test_a_file_that_is_no_catalog_is_refused_with_its_place(
    tmp_path: Path, text: str, named: str
) -> None:
    (tmp_path / "kinds.yaml").write_text(text)
    words = refusal(tmp_path)
    assert words.startswith("kinds.yaml: ")
    assert named in words


def test_a_file_that_is_missing_or_not_utf_8_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path).startswith("kinds.yaml: ")
    (tmp_path / "kinds.yaml").write_bytes(b"kinds: \xff")
    assert refusal(tmp_path).startswith("kinds.yaml: ")


# Templates that are wrong.


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_a_missing_template_is_refused_by_its_file(tmp_path: Path, name: str) -> None:
    folder = catalog_folder(tmp_path)
    (folder / "templates" / name).unlink()
    assert refusal(folder).startswith(f"templates/{name}: is missing")


def test_a_locale_holds_every_file_that_the_default_does(tmp_path: Path) -> None:
    localised = {name.replace("/", "/de/"): text for name, text in TEMPLATES.items()}
    folder = catalog_folder(tmp_path, templates=localised)
    assert check(folder, SECTIONS) == 1
    (folder / "templates" / "greeting-sent" / "de" / "body.txt").unlink()
    assert refusal(folder).startswith("templates/greeting-sent/de/body.txt: is missing")


def test_a_channel_that_a_kind_lacks_needs_no_file(tmp_path: Path) -> None:
    folder = catalog_folder(tmp_path, {"channels": ["letter"]})
    (folder / "templates" / "greeting-sent" / "push.json").unlink()
    assert check(folder, SECTIONS) == 1


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        # syntax, with its line
        ("subject.txt", "{{ name", "line 1"),
        ("body.html", "<p>\n{% if name %}\n</p>", "line 2"),
        ("body.txt", "\n\n{{ name }\n", "line 3"),
        ("push.json", '{"title": "{{ name", "body": "x"}', "title: line 1"),
        ("push.json", '{"title": "x", "body": "{% name %}"}', "body: line 1"),
        # filters and tests that there are not
        ("body.txt", "\n{{ name|shout }}", "line 2"),
        ("body.html", "{% if name is loud %}x{% endif %}", "line 1"),
        ("push.json", '{"title": "{{ name|shout }}", "body": "x"}', "title"),
        # variables that the schema does not require
        ("subject.txt", "{{ surname }}", "surname"),
        ("body.html", "{% for one in many %}{{ one }}{% endfor %}", "many"),
        ("body.txt", "{% if polite %}Dear{% endif %} {{ name }}", "polite"),
        ("push.json", '{"title": "{{ surname }}", "body": "x"}', "surname"),
        ("push.json", '{"title": "x", "body": "{{ surname }}"}', "surname"),
        # other templates
        ("body.html", "{% include 'greeting-sent/body.txt' %}", "include"),
        ("body.html", "{% extends 'greeting-sent/body.txt' %}", "extend"),
        ("body.html", "{% import 'greeting-sent/body.txt' as x %}", "include"),
        ("body.txt", "{% include name %}", "include"),
        ("push.json", '{"title": "{% include name %}", "body": "x"}', "include"),
        # push.json that is not one
        ("push.json", "", "push.json"),
        ("push.json", "title: x", "push.json"),
        ("push.json", '{"title": "x"}', "body"),
        ("push.json", '{"title": "x", "body": 5}', "body"),
        ("push.json", '{"title": "x", "body": "y", "sound": "z"}', "sound"),
        ("push.json", '["x", "y"]', "push.json"),
    ],
    ids=ascii,
)
def test_a_wrong_template_is_refused_by_file_and_line_or_name(
    tmp_path: Path, name: str, text: str, place: str
) -> None:
    words = refusal(catalog_folder(tmp_path, templates={f"greeting-sent/{name}": text}))
    assert words.startswith(f"templates/greeting-sent/{name}: ")
    assert place in words


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({"footer": "{{ surname }}"}, "footer"),
        ({"footer": "{{ name"}, "footer"),
        ({"footer": "{{ name|shout }}"}, "footer"),
        ({"footer": "{% if %}"}, "footer"),
    ],
    ids=str,
)
def test_a_wrong_template_in_kinds_yaml_is_refused_by_its_key(
    tmp_path: Path, entry: dict[str, Any], key: str
) -> None:
    words = refusal(catalog_folder(tmp_path, entry))
    assert words.startswith(f"kinds.yaml: {KIND}: {key}: ")


def test_a_template_that_is_not_utf_8_is_refused_by_its_file(tmp_path: Path) -> None:
    folder = catalog_folder(tmp_path)
    (folder / "templates" / "greeting-sent" / "body.txt").write_bytes(b"\xff")
    assert refusal(folder).startswith("templates/greeting-sent/body.txt: ")


# The catalog compiled.


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """A copy of the catalog that is shipped."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "catalog"))


def test_a_compiled_catalog_is_the_one_that_was_read(shipped: Path) -> None:
    before = set(shipped.rglob("*"))
    assert compile_catalog(shipped, sections())
    made = {path.name for path in set(shipped.rglob("*")) - before}
    assert made == {"kinds.json", "settings.json", "templates.json"}
    assert load(shipped, sections()) == KINDS
    with pytest.raises(PayloadRefused):
        load(shipped, sections())["order.shipped"].check({})


def test_what_is_compiled_is_not_read_again(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compile_catalog(shipped, sections())
    monkeypatch.setattr("dovecote.catalog.kinds.parsed", None)
    assert load(shipped, sections()) == KINDS


def test_to_compile_twice_changes_nothing(shipped: Path) -> None:
    assert compile_catalog(shipped, sections())
    paths = [shipped / name for name in ("kinds.json", "templates.json")]
    once = [path.read_bytes() for path in paths]
    assert compile_catalog(shipped, sections())
    assert [path.read_bytes() for path in paths] == once


@pytest.mark.parametrize("stale", ["", "{}", '{"sha256": "", "kinds": {}}', "\xff"])
def test_what_was_compiled_of_another_text_is_ignored(shipped: Path, stale: str) -> None:
    (shipped / "kinds.json").write_text(stale, "latin-1")
    assert load(shipped, sections()) == KINDS


def test_a_catalog_that_was_edited_since_it_was_compiled_is_read(shipped: Path) -> None:
    assert compile_catalog(shipped, sections())
    text = (shipped / "kinds.yaml").read_text()
    edited = text.replace("time_to_live: 15m", "time_to_live: 10m")
    edited = edited.replace("time_to_live: 20m", "time_to_live: 10m")
    (shipped / "kinds.yaml").write_text(edited)
    assert load(shipped, sections())[kind_of()].time_to_live == 600


def test_a_wrong_catalog_is_not_compiled(tmp_path: Path) -> None:
    folder = catalog_folder(tmp_path, {"channels": ["sms"]})
    with pytest.raises(BadCatalog, match="channels"):
        compile_catalog(folder, SECTIONS)
    assert not (folder / "kinds.json").exists()


def test_what_json_says_otherwise_is_not_compiled(tmp_path: Path) -> None:
    schema = {**ENTRY["schema"], "properties": {"name": {"enum": [date(2026, 12, 1)]}}}
    folder = catalog_folder(tmp_path, {"schema": schema})
    assert not compile_catalog(folder, SECTIONS)
    assert not (folder / "kinds.json").exists()


# Payloads against the schema.


@pytest.mark.parametrize(
    ("schema", "payload", "path"),
    [
        ({"required": ["name"]}, {}, []),
        ({"properties": {"name": {"type": "string"}}}, {"name": 5}, ["name"]),
        (
            {"properties": {"items": {"items": {"required": ["sku"]}}}},
            {"items": [{"sku": 1}, {}]},
            ["items", 1],
        ),
        (
            {"properties": {"a": {"properties": {"b": {"items": {"type": "string"}}}}}},
            {"a": {"b": ["x", 5]}},
            ["a", "b", 1],
        ),
        ({"additionalProperties": False, "properties": {}}, {"name": "Ann"}, []),
    ],
    ids=str,
)
def test_a_payload_that_the_schema_refuses_is_pointed_at(
    tmp_path: Path, schema: dict[str, Any], payload: dict[str, Any], path: list[str | int]
) -> None:
    kind = one_kind(tmp_path, schema={"type": "object", **schema})
    with pytest.raises(PayloadRefused) as caught:
        kind.check(payload)
    assert caught.value.path == path
    assert "data" not in caught.value.detail


@pytest.mark.parametrize(
    ("schema", "number"),
    [
        ({"type": "number"}, "1.50"),
        ({"type": "number", "minimum": 1, "maximum": 2}, "1.50"),
        ({"type": "integer"}, "5"),
        # draft 7: a number with a fraction of nothing is an integer
        ({"type": "integer"}, "5.0"),
        ({"type": "integer"}, "1E2"),
        # as long as ids can be
        ({"type": "integer"}, "1729382256910270464"),
        ({"type": "integer"}, "123456789012345678901234567890"),
        ({"type": "integer"}, "-9223372036854775808"),
        ({"type": "number", "multipleOf": 0.01}, "1.50"),
        ({"type": "integer", "multipleOf": 5}, "10"),
        ({"multipleOf": 5}, "10.0"),
        ({"enum": [1.5, 2]}, "1.5"),
        ({"enum": [1.5, 2]}, "2.0"),
        ({"const": 2.5}, "2.5"),
    ],
    ids=str,
)
def test_a_number_as_it_is_sent_meets_the_schema_that_its_value_meets(
    tmp_path: Path, schema: dict[str, Any], number: str
) -> None:
    kind = one_kind(tmp_path, schema={"type": "object", "properties": {"n": schema}})
    kind.check(strict_json.read(f'{{"n": {number}}}'.encode()))


@pytest.mark.parametrize(
    ("schema", "number"),
    [
        ({"type": "integer"}, "5.5"),
        ({"type": "string"}, "5.5"),
        ({"maximum": 2}, "2.01"),
        ({"multipleOf": 0.1}, "1.55"),
        ({"enum": [1.5]}, "1.6"),
    ],
    ids=str,
)
def test_a_number_that_its_schema_does_not_take_is_refused(
    tmp_path: Path, schema: dict[str, Any], number: str
) -> None:
    kind = one_kind(tmp_path, schema={"type": "object", "properties": {"n": schema}})
    with pytest.raises(PayloadRefused):
        kind.check(strict_json.read(f'{{"n": {number}}}'.encode()))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals("-1E300", "1E300") | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ARTICLE = {"title": "A", "summary": "B", "url": "https://example.com/"}


@given(
    kind=st.sampled_from(sorted(KINDS)),
    data=st.data(),
)
def test_a_payload_of_any_values_is_taken_or_refused_in_words(
    kind: str, data: st.DataObject
) -> None:
    members = dict.fromkeys(KINDS[kind].required, values)
    payload = data.draw(st.fixed_dictionaries({}, optional=members))
    if data.draw(st.booleans()) and "articles" in members:
        payload["articles"] = [ARTICLE | {"title": data.draw(values)}]
    with suppress(PayloadRefused):
        KINDS[kind].check(payload)
