"""An email as it is sent, and errors of one email."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dovecote.core.outcome import (
    Ambiguous,
    Failed,
    Permanent,
)
from local.provider import Fault, Running
from local.provider.ledger import Email
from tests.builders import (
    ADDRESS,
)
from tests.functions import Functions
from tests.integration.deliveries import claim_of, deliver
from tests.sending import channel_body, order
from tests.store import Store


def test_email_is_the_kinds_template_with_the_payload_and_its_tags(
    functions: Functions, provider: Running
) -> None:
    (route,) = functions.post(channel_body("email")).body["routes"]
    (accepted,) = provider.provider.ledger.accepted
    email = accepted.content
    assert isinstance(email, Email)
    assert email.destination == (ADDRESS,)
    assert email.source == "Dovecote <dovecote@example.com>"
    assert "https://nestbox.example/reset/1" in (email.text or "")
    assert "https://nestbox.example/reset/1" in (email.html or "")
    assert email.tags == {
        "route_id": route["route_id"], "claim": "1", "kind": "account-password_reset",
    }  # fmt: skip


def test_email_of_a_kind_with_an_unsubscribe_address_has_one_click_headers(
    functions: Functions, provider: Running
) -> None:
    event = json.loads((Path(__file__).parents[4] / "events" / "many-recipients.json").read_text())
    functions.post(event["body"].encode(), event["headers"])
    for accepted in provider.provider.ledger.accepted:
        assert isinstance(accepted.content, Email)
        assert accepted.content.headers["List-Unsubscribe"].startswith("<https://")
        assert accepted.content.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_email_without_a_recipient_fails_in_words(functions: Functions, store: Store) -> None:
    claim = claim_of(functions, store)
    for blank in (None, "", "  \t"):
        assert deliver(replace(claim, address=blank)) == Failed(
            error="email route missing resolved recipient", asked=False
        )


@pytest.mark.parametrize(
    ("broken_at", "expected"),
    [
        # nothing was sent yet
        ("dovecote.channels.email.mail.render", Permanent(error="", asked=False)),
        # it is unknown how far the request came
        ("dovecote.channels.email.channel.EmailChannel._single", Ambiguous(error="")),
    ],
)
def test_an_error_of_our_own_is_without_the_payload_and_in_doubt_only_where_it_may_have_been_sent(
    functions: Functions,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    broken_at: str,
    expected: Permanent | Ambiguous,
) -> None:
    claim = claim_of(functions, store)

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"cannot send to {ADDRESS}: https://nestbox.example/reset/1")

    monkeypatch.setattr(broken_at, broken)
    outcome: Any = deliver(claim)
    assert outcome == replace(expected, error=outcome.error)
    assert "RuntimeError" in outcome.error
    assert "success" not in outcome.error
    assert "reset/1" not in outcome.error


def test_a_refused_message_is_permanent_and_its_words_name_nobody(
    functions: Functions, store: Store, provider: Running
) -> None:
    claim = claim_of(functions, store)
    order(
        provider,
        Fault.ERROR,
        status=400,
        code="MessageRejected",
        message="Email address is not verified. The following identities failed the check in "
        f"region US-EAST-1: {ADDRESS}",
    )
    assert deliver(claim) == Permanent(
        error="MessageRejected (400): Email address is not verified: the recipient's, in the SES"
        " sandbox"
    )


def test_an_email_of_an_unknown_kind_fails_with_its_reason(
    functions: Functions, store: Store
) -> None:
    claim = claim_of(functions, store)
    assert deliver(replace(claim, kind="order.lost")) == Failed(error="unknown kind", asked=False)
