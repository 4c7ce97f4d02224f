"""SNS: the platform applications."""

import pytest

from operate.channels.push import checks as push
from tests.unit.operate.sites import APNS, FCM, TOPIC, StubbedAws, a_site, a_stack, lines


def told(aws: StubbedAws, arn: str = APNS, **attributes: str) -> str:
    aws.answers(
        "sns",
        "get_platform_application_attributes",
        {"Attributes": attributes},
        {"PlatformApplicationArn": arn},
    )
    (line,) = lines(push.applications(a_site(aws, PushApplicationArns=arn)))
    return line


def test_each_application_has_a_line(aws: StubbedAws) -> None:
    for arn in (APNS, FCM):
        aws.answers(
            "sns",
            "get_platform_application_attributes",
            {"Attributes": {"Enabled": "true"}},
            {"PlatformApplicationArn": arn},
        )
    assert lines(push.applications(a_site(aws, PushApplicationArns=f"{APNS},{FCM}"))) == [
        "ok  push: APNS/shop is enabled",
        "ok  push: GCM/shop is enabled",
    ]


def test_without_applications_push_is_off(aws: StubbedAws) -> None:
    assert lines(push.applications(a_site(aws))) == [
        "--  push to devices is off: PushApplicationArns is empty"
    ]


def test_one_that_is_gone_is_made_by_push_app(aws: StubbedAws) -> None:
    aws.refuses("sns", "get_platform_application_attributes", "NotFound")
    (line,) = lines(push.applications(a_site(aws, PushApplicationArns=FCM)))
    assert line == (
        f"!!  push: SNS has no application {FCM} — dovecote push-app --env dev"
        " --platform fcm --name shop --service-account …"
    )


def test_one_that_sns_switched_off_needs_its_credentials(aws: StubbedAws) -> None:
    line = told(aws, Enabled="false")
    assert line.startswith("!!  push: APNS/shop is disabled — give it its credentials anew: ")
    assert line.endswith("--platform apns --name shop --key …")


@pytest.mark.parametrize("name", ["AppleCertificateExpirationDate", "AppleCertificateExpiryDate"])
@pytest.mark.parametrize(
    ("expires", "said"),
    [
        # it is noon of 2026-11-24
        ("2026-12-24T12:00:01Z", "ok  push: APNS/shop is enabled, its certificate to 2026-12-24"),
        ("2026-12-24T12:00:00Z", "!!  push: APNS/shop: its certificate expires on 2026-12-24"),
        ("2026-11-24T12:00:00Z", "!!  push: APNS/shop: its certificate expired on 2026-11-24"),
        # without a zone, and in no form
        ("2027-12-24T12:00:00", "ok  push: APNS/shop is enabled, its certificate to 2027-12-24"),
        ("soon", "!!  push: APNS/shop: its certificate ends at 'soon', which is no time"),
    ],
)
def test_a_certificate_is_renewed_a_month_before_its_end(
    aws: StubbedAws, name: str, expires: str, said: str
) -> None:
    assert told(aws, Enabled="true", **{name: expires}).startswith(said)


@pytest.mark.parametrize(
    ("topic", "mark"), [(TOPIC, "ok"), ("arn:aws:sns:eu-central-1:1:other", "!!"), (None, "!!")]
)
def test_it_tells_the_stack_of_devices_that_are_gone(
    aws: StubbedAws, topic: str | None, mark: str
) -> None:
    attributes = {"Enabled": "true"} | ({"EventDeliveryFailure": topic} if topic else {})
    aws.answers("sns", "get_platform_application_attributes", {"Attributes": attributes})
    site = a_site(aws, stack=a_stack(PushFeedbackTopicArn=TOPIC), PushApplicationArns=APNS)
    (line,) = lines(push.applications(site))
    assert line.startswith(mark)
    if mark == "!!":
        assert (
            "dovecote push-app --env dev --platform apns --name shop sets its event topics" in line
        )
