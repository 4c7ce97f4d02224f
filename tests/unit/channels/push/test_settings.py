"""The settings of push: what is read, and the name of one that is not valid."""

import pytest

from dovecote.channels.push import CHANNEL
from dovecote.channels.push.settings import PushSettings
from dovecote.core.parsing.settings import BadSettings
from dovecote.wiring.settings import Settings, from_environment
from tests.unit.examples import some_tools

URL = "postgresql://dovecote@127.0.0.1:5432/dovecote"
ACCOUNT = "arn:aws:sns:us-east-1:123456789012"


def all_settings(**environment: str) -> Settings:
    return from_environment({"DATABASE_URL": URL, **environment})


def settings(**environment: str) -> PushSettings:
    here: PushSettings = all_settings(**environment).of("push")
    return here


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PUSH_TOPIC_ARN", "topic"),
        ("PUSH_TOPIC_ARN", f"{ACCOUNT}:app/GCM/shop:x"),
        ("PUSH_APPLICATION_ARNS", "GCM"),
        ("PUSH_APPLICATION_ARNS", f"{ACCOUNT}:topic"),
        ("PUSH_APPLICATION_ARNS", f"{ACCOUNT}:app/GCM/shop,nonsense"),
        ("PUSH_APPLICATION_ARNS", f"{ACCOUNT}:app/"),
        ("PUSH_APPLICATION_ARNS", f"{ACCOUNT}:app/GCM/shop,{ACCOUNT}:app/GCM/other"),
    ],
)
def test_a_bad_value_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=f"^{name}: "):
        settings(**{name: value})


def test_a_doubt_about_a_push_is_never_held() -> None:
    assert CHANNEL.sender(settings(), some_tools(hold_seconds=60.0)).hold_seconds == 0


def test_the_platform_of_an_application_is_read_from_its_arn() -> None:
    arns = [f"{ACCOUNT}:app/{name}/shop" for name in ("APNS", "APNS_SANDBOX", "GCM")]
    here = settings(PUSH_APPLICATION_ARNS=", ".join(arns))
    assert here.push_applications == dict(zip(("APNS", "APNS_SANDBOX", "GCM"), arns, strict=True))
    assert settings().push_applications == {}


@pytest.mark.parametrize("name", ["events", "events.fifo"])
def test_a_topic_is_taken_by_its_arn(name: str) -> None:
    assert settings(PUSH_TOPIC_ARN=f"{ACCOUNT}:{name}").push_topic_arn == f"{ACCOUNT}:{name}"
