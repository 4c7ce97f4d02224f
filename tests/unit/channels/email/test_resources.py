"""The resources of an email: the account, and the identity of its sender."""

from typing import Any, cast
from unittest.mock import Mock

import pytest

from dovecote.catalog.rendering import Renderer
from dovecote.channels.email.channel import EmailChannel, identity_of
from dovecote.channels.email.kind import EmailKind
from tests.unit.examples import KIND, a_claim, a_kind, default_sections

UNUSED: dict[str, Any] = {
    "client": Mock(),
    "renderer": cast(Renderer, None),
}


@pytest.mark.parametrize(
    ("sender", "resource"),
    [
        ("shop@example.com", "email/example.com"),
        ("Shop <shop@example.com>", "email/example.com"),
        ('"Shop, Ltd" <shop@EXAMPLE.com>', "email/example.com"),
        # each subdomain may be an identity of its own
        ("news@mail.example.com", "email/mail.example.com"),
        # none: whatever it is, it is not the account
        ("", "email/"),
    ],
)
def test_the_identity_of_a_sender_is_its_domain(sender: str, resource: str) -> None:
    assert identity_of(sender) == resource


@pytest.mark.parametrize(
    ("own", "kind", "resource"),
    [
        # a kind that names a sender, and one that names none
        ("News <news@example.org>", KIND, "email/example.org"),
        (None, KIND, "email/example.com"),
        # one that left the catalog
        (None, "order.lost", "email/example.com"),
    ],
)
def test_an_email_goes_through_the_identity_of_its_kind(
    own: str | None, kind: str, resource: str
) -> None:
    channel = EmailChannel(
        catalog={KIND: a_kind(sections=default_sections(email=EmailKind(sender=own)))},
        sender="Shop <shop@example.com>",
        configuration_set="",
        bulk_size=50,
        **UNUSED,
    )
    assert channel.resources(a_claim(kind=kind)) == ("email", resource)
