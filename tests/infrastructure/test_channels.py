"""Every registered channel has its lines in the template."""

import pytest

from dovecote import channels
from tests.infrastructure.reading import permissions


@pytest.mark.parametrize("function", ["SubmitFunction", "DispatchFunction"])
@pytest.mark.parametrize("channel", channels.NAMES)
def test_a_function_that_sends_may_call_the_provider_of_every_channel(
    channel: str, function: str
) -> None:
    sids = [statement["Sid"] for statement in permissions(function)]
    assert [sid for sid in sids if sid.startswith(channel.capitalize())]
