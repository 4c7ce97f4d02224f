"""Values of a payload in templates: JSON, and nothing of Python in what is sent."""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dovecote.catalog.rendering import RenderError
from dovecote.core.parsing import strict_json
from tests.unit.examples import Beep, a_renderer, catalog_folder

one_folder = settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PYTHON = re.compile(
    r"<built-in|<bound|<function|<class|<generator| object at 0x|None|True|False|Decimal\("
)


def rendered(folder: Path, template: str, payload: str, part: str = "body.txt") -> str:
    """Return what a template makes of the text of a payload, as a submit reads it."""
    templates = {
        "greeting-sent/subject.txt": "Hello",
        "greeting-sent/body.html": "Hello",
        "greeting-sent/body.txt": "Hello",
        f"greeting-sent/{part}": template,
    }
    names = sorted(json.loads(payload))
    schema = {"type": "object", "required": names}
    one, kind = a_renderer(
        catalog_folder(folder, {"channels": ["letter"], "schema": schema}, templates)
    )
    return one.text(kind, None, part, strict_json.read(payload.encode()))


def refusal(folder: Path, template: str, payload: str) -> str:
    with pytest.raises(RenderError) as caught:
        rendered(folder, template, payload)
    return str(caught.value)


# Members and methods.

MEMBERS = [
    "copy",
    "items",
    "keys",
    "values",
    "get",
    "pop",
    "update",
    "clear",
    "fromkeys",
    "count",
    "index",
    "append",
    "upper",
    "title",
    "format",
    "default",
    "length",
    "__class__",
    "__init__",
    "__dict__",
    "_private",
    "mro",
    "real",
]


@pytest.mark.parametrize("name", sorted(MEMBERS))
@pytest.mark.parametrize("template", ["{{ ad.NAME }}", "{{ ad['NAME'] }}", "{{ ad|attr('NAME') }}"])
def test_a_member_is_printed_whatever_its_name_is(tmp_path: Path, name: str, template: str) -> None:
    payload = json.dumps({"ad": {name: "Two for one"}})
    assert rendered(tmp_path, template.replace("NAME", name), payload) == "Two for one"


@pytest.mark.parametrize("name", sorted(MEMBERS))
@pytest.mark.parametrize("value", ["{}", "[]", '"Ann"', "5", "1.50", "true", '{"a": 1}', "[1]"])
@pytest.mark.parametrize("template", ["{{ v.NAME }}", "{{ v['NAME'] }}", "{{ v.NAME() }}"])
def test_an_attribute_of_python_is_undefined(
    tmp_path: Path, name: str, value: str, template: str
) -> None:
    error = refusal(tmp_path, template.replace("NAME", name), f'{{"v": {value}}}')
    assert "undefined" in error
    assert name in error


@pytest.mark.parametrize("name", sorted(MEMBERS))
def test_a_loop_over_a_member_works_whatever_its_name_is(tmp_path: Path, name: str) -> None:
    payload = json.dumps({"o": {name: ["a", "b"]}})
    template = f"{{% for one in o.{name} %}}{{{{ one }}}},{{% endfor %}}"
    assert rendered(tmp_path, template, payload) == "a,b,"


@pytest.mark.parametrize("name", ["dict", "range", "cycler", "namespace", "lipsum", "joiner"])
def test_a_variable_hides_the_function_of_its_name(tmp_path: Path, name: str) -> None:
    assert rendered(tmp_path, f"{{{{ {name} }}}}", json.dumps({name: "Ann"})) == "Ann"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{% for k, v in o|items %}{{ k }}={{ v }};{% endfor %}", "b=2;a=1.50;"),
        ("{% for k, v in o|dictsort %}{{ k }}={{ v }};{% endfor %}", "a=1.50;b=2;"),
        ("{% for k in o %}{{ k }}={{ o[k] }};{% endfor %}", "b=2;a=1.50;"),
        ("{{ o|length }}{{ 'a' in o }}{{ 'z' in o }}", "2truefalse"),
    ],
)
def test_the_members_of_an_object_are_gone_through(
    tmp_path: Path, template: str, expected: str
) -> None:
    assert rendered(tmp_path, template, '{"o": {"b": 2, "a": 1.50}}') == expected


# Numbers.

TENS = ["10", "10.0", "1e1", "1.0E1", "100E-1", "10.00"]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("1.50", "1.50"),
        ("10", "10"),
        ("10.0", "10.0"),
        ("1e1", "10"),
        ("1.0E7", "10000000"),
        ("1.0E+7", "10000000"),
        ("1.234E2", "123.4"),
        ("-2.50e3", "-2500"),
        ("1E-7", "0.0000001"),
        ("0.00000123", "0.00000123"),
        ("-0", "0"),
        ("-0.00", "0.00"),
        ("0E5", "0"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("12345678901234567890.123456789", "12345678901234567890.123456789"),
        ("1e99", "1" + "0" * 99),
        ("1" * 300, "1" * 300),
        ("1e400", "1" + "0" * 400),
    ],
)
@pytest.mark.parametrize("part", ["body.txt", "body.html", "subject.txt"])
def test_a_number_is_printed_in_plain_digits(
    tmp_path: Path, sent: str, expected: str, part: str
) -> None:
    assert rendered(tmp_path, "{{ n }}", f'{{"n": {sent}}}', part) == expected


@pytest.mark.parametrize("sent", [f"0.{'1' * 1000}", f"-0.{'1' * 1000}", f"1.{'0' * 1000}"])
@pytest.mark.parametrize(
    "template", ["{{ n }}", "{{ n|string }}", "{{ [n]|join }}", "{{ n ~ '' }}"]
)
def test_a_number_of_more_than_1000_digits_is_refused(
    tmp_path: Path, sent: str, template: str
) -> None:
    assert "1000 digits" in refusal(tmp_path, template, f'{{"n": {sent}}}')


@pytest.mark.parametrize("ten", TENS)
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ n * 1.2 }}", "12"),
        ("{{ 1.2 * n }}", "12"),
        ("{{ n + 0.1 }}", "10.1"),
        ("{{ n - 9.9 }}", "0.1"),
        ("{{ n / 4 }}", "2.5"),
        ("{{ n // 4 }}", "2"),
        ("{{ n % 4 }}", "2"),
        ("{{ -n % 4 }}", "2"),
        ("{{ -n // 4 }}", "-3"),
        ("{{ n ** 2 }}", "100"),
        ("{{ -n }}", "-10"),
        ("{{ n|abs }}", "10"),
        ("{{ -n|abs }}", "10"),
        ("{{ (-n)|abs }}", "10"),
        ("{{ n|int }}", "10"),
        ("{{ n|float }}", "10"),
        ("{{ n|round }}", "10"),
        ("{{ n|round(2) }}", "10"),
        ("{{ n|round(-1) }}", "10"),
        ("{{ [n, 0.5]|sum }}", "10.5"),
        ("{{ [n, 0.5]|min }}", "0.5"),
        ("{{ [n, 0.5]|max }}", "10"),
        ("{{ [n, 0.5]|sort|first }}", "0.5"),
        ("{{ [{'v': n}, {'v': 2}]|sum(attribute='v') }}", "12"),
    ],
)
def test_arithmetic_is_the_same_for_every_spelling(
    tmp_path: Path, ten: str, template: str, expected: str
) -> None:
    text = rendered(tmp_path, template, f'{{"n": {ten}}}')
    assert re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text)
    assert Decimal(text) == Decimal(expected)


@pytest.mark.parametrize("ten", TENS)
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ '%d' % n }}", "10"),
        ("{{ '%5d|%-5d|%05d' % (n, n, n) }}", "   10|10   |00010"),
        ("{{ '%.2f' % n }}", "10.00"),
        ("{{ '%8.2f|%-8.1f|%08.1f|%+.0f' % (n, n, n, n) }}", "   10.00|10.0    |000010.0|+10"),
        ("{{ '%x' % n }}", "a"),
        ("{{ '%.1f %s'|format(n, 'x') }}", "10.0 x"),
        ("{{ '%(a).1f'|format(a=n) }}", "10.0"),
        ("{{ '%d%%' % n }}", "10%"),
        ("{{ n|filesizeformat }}", "10 Bytes"),
        ("{{ (n * 1000)|filesizeformat }}", "10.0 kB"),
        ("{{ (n * 1024)|filesizeformat(true) }}", "10.0 KiB"),
        ("{{ n is number }}{{ n is integer }}{{ n is float }}", "truetruefalse"),
        ("{{ n is even }}{{ n is odd }}{{ n is divisibleby 5 }}", "truefalsetrue"),
        ("{{ n is string }}{{ n is boolean }}{{ n is mapping }}", "falsefalsefalse"),
        ("{% for i in range(n) %}{{ i }}{% endfor %}", "0123456789"),
        ("{{ 'abcdefghijklmn'[:n] }}", "abcdefghij"),
        ("{{ 'abcdefghijklmn'[n] }}", "k"),
        ("{{ 'ab' * n }}", "ab" * 10),
        ("{{ 'abcdefghijklmnopqrst'|truncate(n, true) }}", "abcdefg..."),
        ("{{ 'a'|center(n) }}|", "    a     |"),
        (
            "{% for row in 'abcdefghijklmn'|batch(n) %}{{ row|join }} {% endfor %}",
            "abcdefghij klmn ",
        ),
        ("{{ 'ab'|indent(n, true) }}", " " * 10 + "ab"),
        (
            "{{ n == 10 }}{{ n != 10 }}{{ n in [10] }}{{ n > 9.99 }}{{ n >= 10.0 }}",
            "truefalsetruetruetrue",
        ),
        ("{{ n|tojson|float == 10 }}", "true"),
    ],
)
def test_a_number_is_used_alike_in_every_spelling(
    tmp_path: Path, ten: str, template: str, expected: str
) -> None:
    assert rendered(tmp_path, template, f'{{"n": {ten}}}') == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{% if total >= 9.99 %}yes{% else %}no{% endif %}", "yes"),
        ("{% if total == 9.99 %}yes{% else %}no{% endif %}", "yes"),
        ("{% if total < 9.991 %}yes{% else %}no{% endif %}", "yes"),
        ("{% if total in [9.99] %}yes{% else %}no{% endif %}", "yes"),
        ("{% if total is eq 9.99 %}yes{% else %}no{% endif %}", "yes"),
        ("{{ [total]|select('ge', 9.99)|list|length }}", "1"),
        ("{{ 0.1 + 0.2 }}", "0.3"),
        ("{{ 0.1 + 0.2 == 0.3 }}", "true"),
        ("{{ 1.10 }}", "1.10"),
        ("{{ 0.12345678901234567890123 }}", "0.12345678901234567890123"),
        ("{{ 2.5|round }}{{ 3.5|round }}{{ 0.125|round(2) }}", "340.13"),
        ("{{ 2.1|round(0, 'ceil') }}{{ 2.9|round(0, 'floor') }}{{ (-2.5)|round }}", "32-3"),
        ("{{ '%.2f' % 0.125 }}", "0.13"),
        ("{{ '%.2f' % 12345678901234567890.125 }}", "12345678901234567890.13"),
        ("{{ '42.9'|int }}{{ 'x'|int }}{{ 'x'|int(7) }}{{ '1f'|int(base=16) }}", "420731"),
        ("{{ '1.50'|float }}{{ 'nan'|float }}{{ 'x'|float(2.5) }}", "1.5002.5"),
        ("{{ 1 / 3 }}", "0.3333333333333333333333333333"),
        (
            "{{ 10.00 * 1.2 }}|{{ 1.50 * 2 }}|{{ 9.50 + 0.50 }}|{{ 9.00 / 3 }}",
            "12.00|3.00|10.00|3.00",
        ),
        ("{{ 2 ** 100 }}", str(2**100)),
        ("{{ 1e3 }}", "1000"),
        ("{{ loop_free|default(1.5) }}", "1.5"),
    ],
)
def test_literals_and_values_have_one_decimal_arithmetic(
    tmp_path: Path, template: str, expected: str
) -> None:
    values = '{"total": 9.99, "loop_free": 1.5}'
    assert rendered(tmp_path, template, values) == expected


@pytest.mark.parametrize(
    ("price", "expected"), [("10", "12.0"), ("10.5", "12.6"), ("10.50", "12.60")]
)
def test_a_price_times_a_rate_is_a_decimal(tmp_path: Path, price: str, expected: str) -> None:
    assert rendered(tmp_path, "{{ price * 1.2 }}", f'{{"price": {price}}}') == expected


@pytest.mark.parametrize(
    "template",
    [
        "{{ 1 / 0 }}",
        "{{ 1 // 0 }}",
        "{{ 1 % 0 }}",
        "{{ 0 ** -1 }}",
        "{{ 9 ** 999999999 }}",
        "{{ true + 1 }}",
        "{{ '1' + 1 }}",
        "{{ -true }}",
        "{{ [1] + 1 }}",
        "{{ '%d' % 'x' }}",
        "{{ '%d %d' % 1 }}",
        "{{ '%d' % (1, 2) }}",
        "{{ '%r' % 'x' }}",
        "{{ '%9999999d' % 1 }}",
        "{{ 'x'|round }}",
        "{{ true|abs }}",
        "{{ 'x'|abs }}",
        "{{ 1.5 * 'x' }}",
    ],
)
def test_what_cannot_be_calculated_is_refused(tmp_path: Path, template: str) -> None:
    refusal(tmp_path, template, '{"n": 1}')


json_numbers = st.from_regex(
    r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
)


@one_folder
@given(number=json_numbers)
def test_a_rendered_number_parses_back_to_the_same_decimal(tmp_path: Path, number: str) -> None:
    assume(abs(Decimal(number).adjusted()) < 60)
    text = rendered(tmp_path, "{{ n }}", f'{{"n": {number}}}')
    assert re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text)
    assert Decimal(text) == Decimal(number)


@one_folder
@given(number=json_numbers)
def test_how_a_number_is_displayed_changes_no_fingerprint(tmp_path: Path, number: str) -> None:
    document = strict_json.read(f'{{"n": {number}}}'.encode())
    before = strict_json.canonical(document)
    try:
        rendered(tmp_path, "{{ n }} {{ n * 2 }}", f'{{"n": {number}}}')
    except RenderError:
        return
    assert strict_json.canonical(document) == before


@one_folder
@given(a=st.decimals(-1000, 1000, places=2), b=st.decimals(-1000, 1000, places=3))
def test_sums_and_comparisons_are_exact(tmp_path: Path, a: Decimal, b: Decimal) -> None:
    template = "{{ a + b }} {{ a - b }} {{ a * b }} {{ a < b }}"
    total, difference, product, less = rendered(
        tmp_path, template, f'{{"a": {a:f}, "b": {b:f}}}'
    ).split()
    assert (Decimal(total), Decimal(difference)) == (a + b, a - b)
    assert (Decimal(product), less) == (a * b, "true" if a < b else "false")


# Null and what is missing.

PRINTED = [
    "{{ order.total }}",
    "{{ order['total'] }}",
    "{{ order.total ~ '' }}",
    "{{ 'a' ~ order.total }}",
    "{{ order.total|upper }}",
    "{{ order.total|round(2) }}",
    "{{ order.total|int }}",
    "{{ order.total|float }}",
    "{{ order.total|string }}",
    "{{ order.total|length }}",
    "{{ order.total|abs }}",
    "{{ order.total|filesizeformat }}",
    "{{ order.total|urlencode }}",
    "{{ order.total|escape }}",
    "{{ order.total|safe }}",
    "{{ order.total|trim }}",
    "{{ order.total|truncate(5) }}",
    "{{ order.total|replace('a', 'b') }}",
    "{{ 'a'|replace('a', order.total) }}",
    "{{ order.total|join(',') }}",
    "{{ order.total|sum }}",
    "{{ order.total|first }}",
    "{{ order.total|list }}",
    "{{ order.total|sort }}",
    "{{ order.total|items|list }}",
    "{{ order.total|dictsort }}",
    "{{ [order.total]|join(',') }}",
    "{{ ['a', order.total]|join(',') }}",
    "{{ [1, order.total]|sum }}",
    "{{ order.total + 1 }}",
    "{{ 1 + order.total }}",
    "{{ -order.total }}",
    "{{ order.total * 2 }}",
    "{{ 'x' * order.total }}",
    "{{ order.total > 1 }}",
    "{{ order.total == 1 }}",
    "{{ order.total != 'x' }}",
    "{{ order.total in ['x'] }}",
    "{{ 'x' in order.total }}",
    "{{ '%s' % order.total }}",
    "{{ '%d' % order.total }}",
    "{{ '%s'|format(order.total) }}",
    "{{ order.total.cents }}",
    "{{ order.total[0] }}",
    "{{ order.total() }}",
    "{% for x in order.total %}{% endfor %}",
    "{% set x = order.total %}{{ x }}",
    "{{ namespace(a=order.total).a }}",
    "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(order.total) }}",
    "{{ order.total or order.total }}",
    "{{ {'a': order.total}.a }}",
    "{{ [order.total][0] }}",
    "{{ order.total|round|default(1) }}",
    "{% filter upper %}{{ order.total }}{% endfilter %}",
    "{{ order.total|urlize }}",
    "{{ order.total|title }}",
]


@pytest.mark.parametrize("template", PRINTED)
@pytest.mark.parametrize("payload", ['{"order": {"total": null}}', '{"order": {}}'])
def test_null_and_what_is_missing_are_named_by_their_path(
    tmp_path: Path, template: str, payload: str
) -> None:
    assert "'order.total' is" in refusal(tmp_path, template, payload)


@pytest.mark.parametrize("part", ["subject.txt", "body.html", "body.txt"])
@pytest.mark.parametrize("payload", ['{"name": null}'])
def test_null_is_refused_in_each_file(tmp_path: Path, part: str, payload: str) -> None:
    with pytest.raises(RenderError, match=f"{part}: 'name' is null"):
        rendered(tmp_path, "Hello {{ name }}", payload, part)


def test_null_is_refused_in_a_line_of_an_entry(tmp_path: Path) -> None:
    one, kind = a_renderer(catalog_folder(tmp_path, {"footer": "{{ name }}"}))
    with pytest.raises(RenderError, match="footer: 'name' is null"):
        one.line(kind, "footer", "{{ name }}", {"name": None})


def test_null_is_refused_in_a_json_file(tmp_path: Path) -> None:
    one, kind = a_renderer(catalog_folder(tmp_path))
    with pytest.raises(RenderError, match=r"push\.json: body: 'name' is null"):
        one.texts(kind, None, "push.json", Beep, {"name": None})


@pytest.mark.parametrize(
    "template",
    [
        "{{ order.total|default('none given') }}",
        "{{ order.total|d('none given') }}",
        "{% if order.total is defined %}{{ order.total }}{% else %}none given{% endif %}",
        "{{ order.total if order.total is defined else 'none given' }}",
        "{% if order.total is undefined %}none given{% endif %}",
    ],
)
@pytest.mark.parametrize("payload", ['{"order": {"total": null}}', '{"order": {}}'])
def test_what_may_be_missing_is_handled_by_the_template(
    tmp_path: Path, template: str, payload: str
) -> None:
    assert rendered(tmp_path, template, payload) == "none given"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{% if total %}a{% else %}b{% endif %}", "b"),
        ("{{ 'a' if total else 'b' }}", "b"),
        ("{{ total or 'b' }}", "b"),
        ("{{ not total }}", "true"),
        (
            "{{ total is none }}{{ total == none }}{{ none == total }}{{ total != none }}",
            "truetruetruefalse",
        ),
        ("{{ total is defined }}{{ total is string }}{{ total is number }}", "falsefalsefalse"),
        ("{{ list|select|join }}", "x"),
        ("{{ 'x' in list }}{{ 'y' in list }}", "truefalse"),
        ("{{ list|tojson }}", '[null, "x"]'),
        ("{{ list }}", '[null, "x"]'),
    ],
)
def test_null_is_false_and_none(tmp_path: Path, template: str, expected: str) -> None:
    assert rendered(tmp_path, template, '{"total": null, "list": [null, "x"]}') == expected


def test_an_item_of_a_list_is_named_by_its_position(tmp_path: Path) -> None:
    template = "{% for item in items %}{{ item.price }}{% endfor %}"
    payload = '{"items": [{"price": 1}, {"price": null}]}'
    assert "'items[1].price' is null" in refusal(tmp_path, template, payload)


@pytest.mark.parametrize(
    "template",
    [
        "{{ o[key] }}",
        "{% for k, v in o|items %}{{ v }}{% endfor %}",
        "{{ o|attr(key) }}",
        "{{ {}[key] }}",
        "{{ [1][key] }}",
        "{{ o[missing] }}",
        "{{ o|map('upper')|first ~ o[key] }}",
    ],
)
def test_an_error_repeats_no_name_that_a_payload_holds(tmp_path: Path, template: str) -> None:
    payload = '{"o": {"secret": null}, "key": "secret", "missing": "secret-2"}'
    assert "secret" not in refusal(tmp_path, template, payload).lower()


# Nothing of Python is printed.


@pytest.mark.parametrize("part", ["body.txt", "body.html", "subject.txt"])
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ yes }} {{ no }}", "true false"),
        ("{{ true }} {{ false }} {{ True }}", "true false true"),
        ("{{ yes ~ no ~ n ~ 1.50 }}", "truefalse101.50"),
        ("{{ yes|string }} {{ yes|upper }} {{ yes|title }} {{ yes|trim }}", "true TRUE True true"),
        ("{{ [yes, no, n, 's']|join(',') }}", "true,false,10,s"),
        ("{{ 's'|replace('s', yes) }}", "true"),
        ("{{ '%s %s' % (yes, n) }}", "true 10"),
        ("{{ '%s'|format(no) }}", "false"),
        (
            "{{ yes|default('x') }} {{ no|default('x') }} {{ no|default('x', true) }}",
            "true false x",
        ),
        ("{{ yes|urlencode }}{{ {'a': yes, 'b': n}|urlencode }}", "truea=true&b=10"),
        ("{{ yes|escape }}{{ yes|safe }}{{ yes|forceescape }}", "truetruetrue"),
        ("{{ n > 5 }} {{ n in [1, 10] }} {{ 's' == 's' }} {{ not yes }}", "true true true false"),
        (
            "{{ yes == 1 }} {{ no == 0 }} {{ 1 in [true] }} {{ yes == true }}",
            "false false false true",
        ),
        ("{{ 1 == 1.0 }} {{ '1' == 1 }} {{ yes == 'true' }}", "true false false"),
        (
            "{% for x in [1, 2] %}{{ loop.first }}{{ loop.last }}{{ loop.index }} {% endfor %}",
            "truefalse1 falsetrue2 ",
        ),
        ("{% for x in [1, 2] %}{{ loop.index / 2 }} {% endfor %}", "0.5 1 "),
        ("{% set ns = namespace(a=yes, b=1.50) %}{{ ns.a }}{{ ns.b }}", "true1.50"),
        ("{{ {'a': yes}.a }}{{ dict(a=no).a }}{{ (yes, no)[1] }}", "truefalsefalse"),
        ("{% macro m(x=true) %}{{ x }}{% endmacro %}{{ m() }}{{ m(no) }}", "truefalse"),
        ("{% set x %}{{ yes }}{% endset %}{{ x }}", "true"),
        ("{{ 'a' if no }}", ""),
        ("{{ cycler(yes, no).next() }}", "true"),
        (
            "{% for g in [{'k': yes}]|groupby('k') %}{{ g[0] }}{{ g.list|length }}{% endfor %}",
            "true1",
        ),
        ("{{ yes|wordcount }}{{ n|length if n is string else 'x' }}", "1x"),
    ],
)
def test_values_are_printed_as_json(
    tmp_path: Path, template: str, expected: str, part: str
) -> None:
    payload = '{"yes": true, "no": false, "n": 10}'
    text = rendered(tmp_path, template, payload, part).replace("&amp;", "&")
    assert text.strip() == expected.strip()


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ o }}", '{"a": [1.50, true, null, "\u00fc"]}'),
        ("{{ o.a }}", '[1.50, true, null, "\u00fc"]'),
        ("{{ o|string }}", '{"a": [1.50, true, null, "\u00fc"]}'),
        ("{{ o.a ~ '' }}", '[1.50, true, null, "\u00fc"]'),
        ("{{ o|tojson }}", '{"a": [1.50, true, null, "\\u00fc"]}'),
        ("{{ [1, true, 'x', {'k': 1e3}] }}", '[1, true, "x", {"k": 1000}]'),
        ("{{ (1, 2) }}", "[1, 2]"),
        ("{{ o.a[:2] }}", "[1.50, true]"),
        ("{{ o|items }}", '[["a", [1.50, true, null, "\u00fc"]]]'),
        ("{{ o.a[:1]|tojson(indent=2) }}", "[\n  1.50\n]"),
        ("{{ {'b': {}, 'a': [[]]}|tojson(2) }}", '{\n  "a": [\n    []\n  ],\n  "b": {}\n}'),
        ("{{ o.a[:1] == [1.5] }}{{ o == {'a': [1.5, true, none, '\u00fc']} }}", "truetrue"),
    ],
)
def test_lists_and_objects_are_printed_as_json(
    tmp_path: Path, template: str, expected: str
) -> None:
    payload = '{"o": {"a": [1.50, true, null, "\u00fc"]}}'
    assert rendered(tmp_path, template, payload) == expected
    html = rendered(tmp_path, template, payload, "body.html")
    assert "tojson" in template or html == expected.replace('"', "&#34;")


@pytest.mark.parametrize(
    "template",
    [
        "{{ none }}",
        "{{ None }}",
        "{{ range }}",
        "{{ range(3) }}",
        "{{ dict }}",
        "{{ cycler(1) }}",
        "{{ [1]|map('abs') }}",
        "{{ [1]|select }}",
        "{{ [2, 1]|reverse }}",
        "{{ namespace() }}",
        "{{ joiner() }}",
        "{{ self }}",
        "{% macro m() %}{% endmacro %}{{ m }}",
        "{% for x in [1] %}{{ loop }}{% endfor %}",
        "{{ none ~ '' }}",
        "{{ [none]|join }}",
        "{{ none|upper }}",
        "{{ '%s' % none }}",
        "{{ lipsum }}",
    ],
)
def test_what_is_no_value_of_json_is_refused(tmp_path: Path, template: str) -> None:
    refusal(tmp_path, template, '{"n": 1}')


values = st.recursive(
    st.none() | st.booleans() | json_numbers.map(Decimal) | st.sampled_from(["x", "<b>", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=3)
    ),
    max_leaves=6,
)
PIECES = [
    "{{ v }}",
    "{{ v.copy }}",
    "{{ v['items'] }}",
    "{{ v[0] }}",
    "{{ v ~ v }}",
    "{{ v|string }}",
    "{{ v|upper }}",
    "{{ v|join(',') }}",
    "{{ v|first }}",
    "{{ v|last }}",
    "{{ v|list }}",
    "{{ v|tojson }}",
    "{{ v|default('d') }}",
    "{{ v|default('d', true) }}",
    "{{ v|int }}",
    "{{ v|float }}",
    "{{ v|round(1) }}",
    "{{ v|abs }}",
    "{{ v|sum }}",
    "{{ v|sort }}",
    "{{ v|min }}",
    "{{ v|unique|list }}",
    "{{ v|items }}",
    "{{ v|dictsort }}",
    "{{ v|urlencode }}",
    "{{ v|length }}",
    "{{ v|map('string')|join }}",
    "{{ v|replace('a', v) }}",
    "{{ v|trim }}",
    "{{ v|title|lower }}",
    "{{ v|format(v) }}",
    "{{ '%s' % v }}",
    "{{ '%d' % v }}",
    "{{ '%.1f' % v }}",
    "{{ v + v }}",
    "{{ v * 2 }}",
    "{{ v - 1 }}",
    "{{ v / 2 }}",
    "{{ v // 2 }}",
    "{{ v % 2 }}",
    "{{ -v }}",
    "{{ v == v }}",
    "{{ v in [v] }}",
    "{{ v < 2.5 }}",
    "{{ v and 1 }}",
    "{{ v or v }}",
    "{{ not v }}",
    "{{ v is none }}",
    "{{ v is number }}",
    "{{ v is integer }}",
    "{{ v is mapping }}",
    "{{ v is sequence }}",
    "{{ v is iterable }}",
    "{{ v[:1] }}",
    "{{ [v] }}",
    "{{ {'a': v} }}",
    "{{ v|xmlattr }}",
    "{{ v|filesizeformat }}",
    "{{ v|batch(2)|list }}",
    "{{ v|slice(2)|list }}",
    "{{ v|attr('keys') }}",
    "{{ v|reverse|list }}",
    "{{ v|wordcount }}",
    "{{ v|striptags }}",
    "{{ v|groupby('copy') }}",
    "{{ v|map(attribute='copy')|list }}",
    "{{ v|truncate(3) }}",
    "{% for x in v %}{{ x }}{{ loop.index }}{{ loop.first }}{{ loop.previtem }}{% endfor %}",
    "{% for k, x in v|items %}{{ k }}{{ x }}{% endfor %}",
    "{% if v %}{{ v }}{% endif %}",
    "{% set ns = namespace(a=v) %}{{ ns.a }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(v) }}",
]


@one_folder
@given(
    value=values, template=st.sampled_from(PIECES), part=st.sampled_from(["body.txt", "body.html"])
)
def test_nothing_of_python_is_ever_printed(
    tmp_path: Path, value: Any, template: str, part: str
) -> None:
    payload = strict_json.text({"v": value})
    try:
        text = rendered(tmp_path, template, payload, part)
    except RenderError:
        return
    assert not PYTHON.search(text)
    assert "<b>" not in text or part == "body.txt" or "|safe" in template
