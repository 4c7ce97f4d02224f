"""SES: what the account may send, from whom, and where its events go."""

from typing import Any

import pytest

from dovecote.channels.email.events import KNOWN
from operate.channels.email import checks as email
from tests.unit.operate.sites import StubbedAws, a_site, a_stack, lines, marks

QUOTA = {"Max24HourSend": 50000.0, "MaxSendRate": 14.0, "SentLast24Hours": 12.0}
ACCOUNT = {
    "ProductionAccessEnabled": True,
    "SendingEnabled": True,
    "EnforcementStatus": "HEALTHY",
    "SendQuota": QUOTA,
}
VERIFIED = {
    "IdentityType": "DOMAIN",
    "VerifiedForSendingStatus": True,
    "DkimAttributes": {"Status": "SUCCESS", "SigningAttributesOrigin": "AWS_SES", "Tokens": ["a"]},
}


def told(aws: StubbedAws, said: dict[str, Any], **parameters: str) -> list[str]:
    aws.answers("sesv2", "get_account", {**ACCOUNT, **said}, {})
    return lines(email.account(a_site(aws, EmailIdentity="example.com", **parameters)))


def test_an_account_in_production_is_three_good_lines(aws: StubbedAws) -> None:
    assert told(aws, {}) == [
        "ok  SES: production access, anybody may be mailed",
        "ok  SES: sending is on, the account's reputation is HEALTHY",
        "ok  SES: 12 of 50000 emails in 24 h, 14 a second",
    ]


def test_without_email_ses_is_not_looked_at(aws: StubbedAws) -> None:
    site = a_site(aws)
    assert lines(email.account(site)) == ["--  email is off: EmailIdentity is empty"]
    assert lines(email.identity(site)) == ["--  email is off: EmailIdentity is empty"]


def test_the_sandbox_says_who_gets_mail_and_how_to_leave_it(aws: StubbedAws) -> None:
    line, *_ = told(aws, {"ProductionAccessEnabled": False})
    assert line.startswith(
        "!!  SES: the sandbox, only verified recipients and the mailbox simulator get email, and"
        " IAM checks the recipient's identity too (AccessDenied where the policy lacks it) — aws"
        " sesv2 put-account-details --production-access-enabled --mail-type TRANSACTIONAL"
    )
    assert line.endswith("Request production access")


def test_a_request_that_is_being_reviewed_is_not_to_be_made_again(aws: StubbedAws) -> None:
    line, *_ = told(
        aws,
        {
            "ProductionAccessEnabled": False,
            "Details": {"ReviewDetails": {"Status": "PENDING"}},
        },
    )
    assert line.startswith("!!  SES: the sandbox")
    assert line.endswith("production access is asked for; wait for AWS Support's answer")


@pytest.mark.parametrize("name", ["EmailAllow", "EmailRedirectTo"])
def test_the_sandbox_will_do_where_only_a_few_may_be_mailed(aws: StubbedAws, name: str) -> None:
    line, *_ = told(aws, {"ProductionAccessEnabled": False}, **{name: "a@example.com"})
    assert line.startswith("ok  SES: the sandbox")


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"EnforcementStatus": "PROBATION"}, "!!  SES: the account's reputation is PROBATION"),
        ({"EnforcementStatus": "SHUTDOWN", "SendingEnabled": False},
         "!!  SES: the account's reputation is SHUTDOWN"),
        ({"SendingEnabled": False},
         "!!  SES: sending is paused for the account — aws sesv2 put-account-sending-attributes"
         " --sending-enabled --region eu-central-1"),
    ],
)  # fmt: skip
def test_what_keeps_the_account_from_sending_is_said(
    aws: StubbedAws, said: dict[str, Any], line: str
) -> None:
    assert told(aws, said)[1].startswith(line)


@pytest.mark.parametrize(
    ("most", "sent", "line"),
    [
        (200.0, 179.0, "ok  SES: 179 of 200 emails in 24 h"),
        (200.0, 180.0, "!!  SES: 180 of 200 emails in 24 h"),
        (200.0, 200.0, "!!  SES: 200 of 200 emails in 24 h"),
        # an account without a quota
        (-1.0, 7.0, "ok  SES: 7 emails in 24 h, without a quota"),
    ],
)
def test_a_quota_that_is_nearly_used_up_is_wrong(
    aws: StubbedAws, most: float, sent: float, line: str
) -> None:
    quota = {**QUOTA, "Max24HourSend": most, "SentLast24Hours": sent}
    assert told(aws, {"SendQuota": quota})[2].startswith(line)


# The identity.


def identity(
    aws: StubbedAws, said: dict[str, Any], name: str = "example.com", **more: str
) -> list[str]:
    aws.answers("sesv2", "get_email_identity", said, {"EmailIdentity": name})
    parameters = {"EmailIdentity": name, "CreateEmailIdentity": "no", **more}
    return lines(email.identity(a_site(aws, **parameters)))


def test_a_verified_domain_may_send(aws: StubbedAws) -> None:
    assert identity(aws, VERIFIED) == ["ok  SES: example.com may send, DKIM SUCCESS"]


def test_a_domain_without_its_records_is_told_each_of_them(aws: StubbedAws) -> None:
    pending = {
        "IdentityType": "DOMAIN",
        "VerifiedForSendingStatus": False,
        "DkimAttributes": {"Status": "PENDING", "Tokens": ["one", "two", "three"]},
    }
    (text,) = identity(aws, pending)
    first, *records = text.splitlines()
    assert first.startswith("!!  SES: example.com may not send yet, DKIM PENDING — these records")
    assert [record.strip() for record in records] == [
        f"{token}._domainkey.example.com  CNAME  {token}.dkim.amazonses.com"
        for token in ("one", "two", "three")
    ]


def test_the_records_lead_to_the_zone_that_ses_names(aws: StubbedAws) -> None:
    dkim = {"Status": "FAILED", "Tokens": ["one"], "SigningHostedZone": "abc.dkim.eu.amazonses.com"}
    (text,) = identity(aws, {**VERIFIED, "DkimAttributes": dkim})
    assert "may send, DKIM FAILED" in text
    assert text.endswith("one._domainkey.example.com  CNAME  one.abc.dkim.eu.amazonses.com")


def test_a_key_of_ones_own_needs_its_txt_record(aws: StubbedAws) -> None:
    dkim = {"Status": "PENDING", "Tokens": ["mine"], "SigningAttributesOrigin": "EXTERNAL"}
    (text,) = identity(aws, {**VERIFIED, "DkimAttributes": dkim})
    assert text.endswith("mine._domainkey.example.com  TXT  p=…")


def test_a_domain_whose_dkim_was_never_begun_is_told_the_command(aws: StubbedAws) -> None:
    (text,) = identity(aws, {**VERIFIED, "DkimAttributes": {"Status": "NOT_STARTED"}})
    assert "put-email-identity-dkim-attributes --email-identity example.com" in text


def test_an_address_is_verified_by_a_link(aws: StubbedAws) -> None:
    said: dict[str, Any] = {"IdentityType": "EMAIL_ADDRESS", "VerifiedForSendingStatus": False}
    (text,) = identity(aws, said, "ann@example.com")
    assert text.startswith("!!  SES: ann@example.com is not verified — click the link")


def test_a_verified_address_has_no_dkim_of_its_own(aws: StubbedAws) -> None:
    said = {"IdentityType": "EMAIL_ADDRESS", "VerifiedForSendingStatus": True}
    (text,) = identity(aws, said, "ann@example.com")
    assert text == "ok  SES: ann@example.com may send, DKIM NOT_STARTED"


@pytest.mark.parametrize(
    ("sender", "strays"),
    [
        ("shop@example.com", False),
        ("Shop <shop@example.com>", False),
        ("Shop <shop@mail.Example.com>", False),
        ("", False),
        ("shop@example.org", True),
        ("shop@badexample.com", True),
        ("Shop", True),
    ],
)
def test_a_sender_of_another_domain_is_told_from_one_of_the_identity(
    aws: StubbedAws, sender: str, strays: bool
) -> None:
    said = identity(aws, VERIFIED, EmailFrom=sender)
    assert any("is not of EmailIdentity example.com" in line for line in said) is strays


def test_an_identity_that_is_not_there_is_to_be_made(aws: StubbedAws) -> None:
    aws.refuses("sesv2", "get_email_identity", "NotFoundException")
    site = a_site(aws, EmailIdentity="example.com", CreateEmailIdentity="no")
    assert lines(email.identity(site)) == [
        "!!  SES has no identity example.com in eu-central-1 — aws sesv2 create-email-identity"
        " --email-identity example.com --region eu-central-1"
    ]


def test_before_the_first_deploy_the_stack_makes_the_identity(aws: StubbedAws) -> None:
    aws.refuses("sesv2", "get_email_identity", "NotFoundException")
    site = a_site(aws, EmailIdentity="example.com", CreateEmailIdentity="yes")
    assert lines(email.identity(site)) == [
        "--  SES has no identity example.com yet: the stack makes it"
    ]


def test_an_identity_that_the_stack_could_not_make_again_is_said_before(aws: StubbedAws) -> None:
    first, _ = identity(aws, VERIFIED, CreateEmailIdentity="yes")
    assert first.startswith("!!  SES has the identity example.com already")
    assert first.endswith("set CreateEmailIdentity=no in parameter_overrides")


# Its events.


def destination(**more: Any) -> dict[str, Any]:
    return {
        "Name": "events",
        "Enabled": True,
        "MatchingEventTypes": list(email.EVENT_TYPES),
        "EventBridgeDestination": {
            "EventBusArn": "arn:aws:events:eu-central-1:1:event-bus/default"
        },
        **more,
    }


def events(aws: StubbedAws, *destinations: dict[str, Any]) -> str:
    aws.answers(
        "sesv2",
        "get_configuration_set_event_destinations",
        {"EventDestinations": list(destinations)},
        {"ConfigurationSetName": "dovecote-dev"},
    )
    (line,) = lines(email.configuration_set(a_site(aws, stack=a_stack(), EmailFeedback="on")))
    return line


def test_a_configuration_set_that_sends_what_feedback_knows_is_good(aws: StubbedAws) -> None:
    said = events(aws, destination())
    assert said == "ok  SES: configuration set dovecote-dev sends its events to EventBridge"


ELSEWHERE = {
    "Name": "elsewhere",
    "Enabled": True,
    "MatchingEventTypes": ["SEND"],
    "SnsDestination": {"TopicArn": "arn:aws:sns:eu-central-1:1:t"},
}


@pytest.mark.parametrize(
    ("destinations", "said"),
    [
        ([], "has no event destination at EventBridge"),
        ([ELSEWHERE], "has no event destination at EventBridge"),
        ([destination(Enabled=False)], "has its event destination events switched off"),
        ([destination(MatchingEventTypes=["SEND", "BOUNCE", "COMPLAINT", "REJECT"])],
         "sends no DELIVERY, RENDERING_FAILURE, DELIVERY_DELAY to EventBridge"),
    ],
)  # fmt: skip
def test_what_keeps_events_from_coming_is_said(
    aws: StubbedAws, destinations: list[dict[str, Any]], said: str
) -> None:
    line = events(aws, *destinations)
    assert line.startswith("!!")
    assert said in line
    assert "make deploy ENV=dev" in line


def test_a_configuration_set_that_is_gone_is_said_to_be(aws: StubbedAws) -> None:
    aws.refuses("sesv2", "get_configuration_set_event_destinations", "NotFoundException")
    site = a_site(aws, stack=a_stack(), EmailFeedback="on")
    assert lines(email.configuration_set(site))[0].startswith(
        "!!  SES has no configuration set dovecote-dev"
    )


def test_where_feedback_is_off_no_events_are_looked_for(aws: StubbedAws) -> None:
    findings = list(email.configuration_set(a_site(aws, stack=a_stack(), EmailFeedback="off")))
    assert marks(findings) == ["--"]


def test_the_event_types_are_ones_that_feedback_knows() -> None:
    known = {name.replace(" ", "").upper() for name in KNOWN}
    assert {name.replace("_", "") for name in email.EVENT_TYPES} <= known
