"""The registry: each channel's folder brings the same parts, and loads none of them at once."""

import subprocess
import sys
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from dovecote import channels
from dovecote.catalog.kinds import _Entry
from dovecote.channels import ChannelDefinition
from dovecote.core.feedback import BadEvent

PACKAGE = Path(channels.__file__).parent

LOADED = """
import sys
from dovecote import channels
for name in channels.NAMES:
    channels.get(name).address_field
print(*sorted(name for name in sys.modules if name.startswith("dovecote.")))
"""


@pytest.fixture(params=channels.NAMES)
def channel(request: pytest.FixtureRequest) -> ChannelDefinition:
    """A channel of the registry."""
    return channels.get(request.param)


def keys(struct: type) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(cast(Any, struct))}


def test_each_folder_is_a_channel_and_each_channel_a_folder() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(channels.NAMES)


def test_each_channel_has_a_number_of_its_own() -> None:
    assert len(set(channels.NUMBERS.values())) == len(channels.NAMES)


@pytest.mark.parametrize("name", channels.NAMES)
def test_a_channel_has_the_name_of_its_folder(name: str) -> None:
    assert channels.get(name).name == name


def test_the_settings_are_frozen_variables_with_defaults_that_are_well(
    channel: ChannelDefinition,
) -> None:
    settings = channel.settings()()
    settings.check()
    assert all(name == name.upper() for name in keys(channel.settings()))
    assert isinstance(hash(settings), int)


@pytest.mark.parametrize("pair", list(combinations(channels.NAMES, 2)))
def test_no_two_channels_share_a_setting_or_a_key_of_a_kind(pair: tuple[str, str]) -> None:
    one, other = map(channels.get, pair)
    assert not keys(one.settings()) & keys(other.settings())
    assert not keys(one.section()) & keys(other.section())


def test_the_keys_of_a_kind_are_not_those_of_every_kind(channel: ChannelDefinition) -> None:
    assert not keys(channel.section()) & keys(_Entry)


def test_a_channel_needs_template_files(channel: ChannelDefinition) -> None:
    assert channel.section().files


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"detail": {}}'])
def test_a_document_that_no_provider_sends_is_a_bad_event(
    channel: ChannelDefinition, text: str
) -> None:
    with pytest.raises(BadEvent):
        channel.events(text)


def test_the_registry_loads_the_definitions_of_channels_and_nothing_that_they_use_later() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOADED],
        env={"PYTHONPATH": str(PACKAGE.parents[1])},
        capture_output=True,
        text=True,
        check=True,
    )
    definitions = {f"dovecote.channels.{name}" for name in channels.NAMES}
    loaded = set(ran.stdout.split()) - definitions
    parsing = {"dovecote.core.parsing", "dovecote.core.parsing.addresses"}
    assert loaded <= {"dovecote.channels", "dovecote.core", *parsing}
