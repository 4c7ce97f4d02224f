"""Which route an email has, and who may be mailed."""

from pathlib import Path
from uuid import uuid4

import pytest

from dovecote.channels.email.planning import NO_EMAIL, NOT_ALLOWED, EmailPlanner, MailRule
from dovecote.core.device import Device
from dovecote.core.notification import Recipient
from dovecote.core.route import NewRoute, Target
from dovecote.submit.checking import TemplatePreview
from dovecote.submit.submission import parse
from tests.unit.examples import ANN, a_body, renderer_of

ELSEWHERE = "success+elsewhere@simulator.amazonses.com"
ONE = Recipient(user_id="u-1", addresses={"email": ANN}, device_session_id="d-1", locale="de")
DEVICE = Device(user_id="u-1", device_session_id="d-1", platform="fcm", token="t", endpoint="e")


def route(folder: Path, recipient: Recipient, rule: MailRule | None = None) -> NewRoute:
    renderer, _ = renderer_of("email", folder)
    planner = EmailPlanner(rule=rule or MailRule(), renderer=renderer, new_id=uuid4)
    (planned,) = planner.routes(recipient, [DEVICE])
    return planned


def test_a_recipient_has_one_route_to_the_address_and_none_to_a_device(tmp_path: Path) -> None:
    planned = route(tmp_path, ONE)
    assert (planned.channel, planned.target) == ("email", Target.ADDRESS)
    assert (planned.address, planned.skip) == (ANN, None)
    assert (planned.user_id, planned.locale) == ("u-1", "de")
    assert (planned.device_session_id, planned.endpoint) == (None, None)


def test_a_recipient_without_an_address_is_skipped(tmp_path: Path) -> None:
    planned = route(tmp_path, Recipient(user_id="u-1"))
    assert (planned.address, planned.skip) == (None, NO_EMAIL)


@pytest.mark.parametrize(
    ("allowed", "redirect", "email", "resolved"),
    [
        # in production everybody is
        ((), "", ANN, ANN),
        # an address, however it is spelt
        ((ANN,), "", ANN, ANN),
        ((ANN.upper(),), "", ANN, ANN),
        ((ANN,), "", ANN.replace("ann", "ANN"), ANN.replace("ann", "ANN")),
        # a domain
        (("@simulator.amazonses.com",), "", ANN, ANN),
        (("@Simulator.AmazonSES.com",), "", ANN, ANN),
        # neither: nobody, or elsewhere
        (("@example.com",), "", ANN, None),
        (("@example.com",), ELSEWHERE, ANN, ELSEWHERE),
        # nobody is allowed by name: all elsewhere
        ((), ELSEWHERE, ANN, ELSEWHERE),
        # a domain is whole
        (("@amazonses.com",), "", ANN, None),
        (("@simulator.amazonses.com",), "", "ann@evil-simulator.amazonses.com", None),
        (("@example.com",), "", "ann@example.com.evil.example", None),
        # and so is an address
        ((ANN,), "", f"x{ANN}", None),
    ],
)
def test_a_mail_rule_says_who_is_mailed(
    allowed: tuple[str, ...], redirect: str, email: str, resolved: str | None
) -> None:
    assert MailRule(allowed=allowed, redirect=redirect).resolve(email) == resolved


def test_an_address_that_is_not_allowed_is_skipped_and_kept(tmp_path: Path) -> None:
    planned = route(tmp_path, ONE, MailRule(allowed=("@example.com",)))
    assert (planned.address, planned.skip) == (ANN, NOT_ALLOWED)


def test_a_redirected_email_goes_elsewhere(tmp_path: Path) -> None:
    planned = route(tmp_path, ONE, MailRule(allowed=("@example.com",), redirect=ELSEWHERE))
    assert (planned.address, planned.skip) == (ELSEWHERE, None)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"name": "Ann"}, ""),
        # larger than a push may be
        ({"name": "Ann", "more": "x" * 8192}, ""),
        ({}, "'name' is undefined"),
    ],
    ids=["well", "large", "undefined"],
)
def test_an_email_that_cannot_be_rendered_is_a_fault(
    tmp_path: Path, payload: dict[str, str], words: str
) -> None:
    renderer, kind = renderer_of("email", tmp_path)
    planner = EmailPlanner(rule=MailRule(), renderer=renderer, new_id=uuid4)
    submission = parse(a_body(payload=payload), key=None, traceparent=None)
    preview = TemplatePreview(renderer, {"email": planner})
    fault = preview.fault(kind, submission, Recipient(addresses={"email": ANN}))
    assert isinstance(fault, str) == bool(words)
    assert words in str(fault)
