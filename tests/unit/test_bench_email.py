"""The email bench counts nothing that was not taken exactly once."""

from collections.abc import Sequence
from typing import cast

import pytest

from bench.email import _taken
from bench.measure import Wrong
from local.provider import Provider, Running
from local.provider.ledger import Email, Send


def took(*sends: tuple[str, str]) -> Running:
    """Return a provider that took an email of these routes to these addresses."""
    provider = Provider()
    for place, (route_id, address) in enumerate(sends):
        send = Send(service="ses", operation="SendEmail", targets=(address,), route_id=route_id)
        provider.accept(send, f"m-{place}", cast(Email, None))
    return Running(url="", provider=provider)


def test_what_was_taken_once_is_told_by_its_message_ids() -> None:
    assert _taken(took(("r-1", "a"), ("r-2", "b")), 2) == {"r-1": "m-0", "r-2": "m-1"}


@pytest.mark.parametrize(
    "sends",
    [
        pytest.param([("r-1", "a")], id="one is missing"),
        pytest.param([("r-1", "a"), ("r-2", "b"), ("r-3", "c")], id="one too many"),
        pytest.param([("r-1", "a"), ("r-1", "a"), ("r-2", "b")], id="one twice"),
        pytest.param([("r-1", "a"), ("r-1", "a")], id="one in place of another"),
        pytest.param([("r-1", "a"), ("r-2", "a")], id="two to one address"),
        pytest.param([], id="none"),
    ],
)
def test_anything_else_is_wrong(sends: Sequence[tuple[str, str]]) -> None:
    with pytest.raises(Wrong, match="taken once"):
        _taken(took(*sends), 2)
