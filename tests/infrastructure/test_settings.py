"""Each setting stands once in docs/settings.md, and is set where the table says, by one default."""

from typing import Any

import msgspec
import pytest

from dovecote import channels
from dovecote.channels.lanes import PRIORITIES
from dovecote.core.parsing.settings import in_file
from dovecote.wiring.settings import LEAST_BATCH, names, shapes
from tests.infrastructure.reading import SERVING, function, references, shipped_settings
from tests.infrastructure.transform import ROOT, source
from tests.sending import SERVICES

UNREGISTERED = [name.upper() for name in SERVICES if name not in channels.NAMES]
"""How the settings begin of a channel that the docs and the template alone have."""

ROWS = [
    [cell.strip(" `") for cell in line.split("|")[1:-1]]
    for line in (ROOT / "docs" / "settings.md").read_text("utf-8").splitlines()
    if line.startswith("| `") and line[3:].partition("_")[0] not in UNREGISTERED
]
ROWS = [row for row in ROWS if row[0].isupper()]
"""Name, default, unit, where it is set, meaning."""

DEFAULTS = {
    field.encode_name: field.default for one in shapes() for field in msgspec.structs.fields(one)
}
IN_FILE = {name for shape in shapes() for name in in_file(shape)}
PARAMETERS = source()["Parameters"]
RESOURCES = source()["Resources"]
VARIABLES = {
    name: value
    for one in (
        *(RESOURCES[name]["Properties"] for name in SERVING),
        source()["Globals"]["Function"],
    )
    for name, value in one["Environment"]["Variables"].items()
}
"""The variables of a function, by their values in the template."""


def parameters_of(name: str) -> list[str]:
    """Return the parameters whose values become a setting."""
    return sorted(set(references(VARIABLES.get(name))) & PARAMETERS.keys())


def test_every_setting_stands_once_in_the_docs() -> None:
    assert sorted(row[0] for row in ROWS) == sorted(names())
    assert all(row[4] for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_setting_is_set_where_the_docs_say(row: list[str]) -> None:
    name, _, _, place, _ = row
    assert (name in VARIABLES) is (name not in IN_FILE)
    if name in IN_FILE:
        assert place == "settings.yaml"
    elif parameters_of(name):
        assert [place] == [f"parameter `{one}" for one in parameters_of(name)]
    else:
        assert place == ("the environment" if VARIABLES[name] == "" else "the stack")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_default_stands_in_the_code_or_in_the_template_and_in_the_docs(row: list[str]) -> None:
    defaults: list[Any] = [DEFAULTS[row[0]]]
    defaults += [PARAMETERS[one]["Default"] for one in parameters_of(row[0])]
    # A port of 0 is unset.
    (default,) = [one for one in defaults if one not in ("", 0)] or [""]
    assert row[1] == (f"{default:g}" if isinstance(default, float | int) else default)


def test_a_parameter_is_of_one_setting() -> None:
    used = [one for name in VARIABLES if name in names() for one in parameters_of(name)]
    assert len(used) == len(set(used))


# Values that go together: a change of one is a change of the other.


def test_a_run_of_dispatch_outlasts_the_lease_of_its_claims_and_two_sends() -> None:
    settings, timeout = shipped_settings(), function("DispatchFunction")["Timeout"]
    assert timeout > settings.lease_seconds
    assert timeout > 2 * settings.send_seconds


def test_submit_has_time_for_its_best_effort_and_its_lease_ends_before_the_next_run() -> None:
    settings = shipped_settings()
    assert function("SubmitFunction")["Timeout"] > settings.inline.lease_seconds
    assert settings.inline.lease_seconds < 60


def test_no_alarm_rings_while_a_route_in_doubt_waits_for_its_event() -> None:
    longest = PARAMETERS["AlarmOldestDueSeconds"]["Default"]
    assert longest > shipped_settings().ambiguous_hold_seconds + 60


def test_the_least_batch_has_room_for_fresh_routes_and_retries_of_every_priority() -> None:
    assert 2 * len(PRIORITIES) * max(2, len(channels.NAMES)) == LEAST_BATCH
