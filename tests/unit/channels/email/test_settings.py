"""The settings of email: what is read, and the name of one that is not valid."""

import pytest

from dovecote.channels.email import CHANNEL
from dovecote.channels.email.settings import EmailSettings
from dovecote.core.parsing.settings import BadSettings, names
from dovecote.wiring.settings import Settings, from_environment
from tests.unit.examples import some_tools

URL = "postgresql://dovecote@127.0.0.1:5432/dovecote"
EVENTS = {"EMAIL_FEEDBACK": "on", "EMAIL_CONFIGURATION_SET": "events"}


def all_settings(**environment: str) -> Settings:
    return from_environment({"DATABASE_URL": URL, **environment})


def settings(**environment: str) -> EmailSettings:
    here: EmailSettings = all_settings(**environment).of("email")
    return here


def test_what_is_empty_is_unset() -> None:
    assert settings(**dict.fromkeys(names(EmailSettings), "")) == settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # not one of its words
        ("EMAIL_FEEDBACK", "yes"),
        ("EMAIL_FEEDBACK", "ON"),
        ("EMAIL_MAX_PER_SECOND", "fast"),
        ("EMAIL_MAX_PER_SECOND", "Auto"),
        ("EMAIL_MAX_PER_SECOND", "1e3"),
        ("EMAIL_MAX_PER_SECOND", "-1"),
        ("EMAIL_MAX_PER_SECOND", ".5"),
        ("EMAIL_MAX_PER_SECOND", "14/s"),
        ("EMAIL_MAX_PER_SECOND", "1000000000"),
        ("EMAIL_MAX_PER_SECOND", "14\n"),
        ("EMAIL_MAX_PER_SECOND", "nan"),
        ("EMAIL_MAX_PER_SECOND", "inf"),
        # out of its range
        ("EMAIL_BULK_SIZE", "0"),
        ("EMAIL_BULK_SIZE", "51"),
        # events that no configuration set sends
        ("EMAIL_FEEDBACK", "on"),
        # a rate that would send nothing
        ("EMAIL_MAX_PER_SECOND", "0"),
        ("EMAIL_MAX_PER_SECOND", "0.0"),
        # no mailbox: SES would refuse each send for good
        ("EMAIL_FROM", "shop"),
        ("EMAIL_FROM", "shop@example.com, support@example.com"),
        ("EMAIL_REDIRECT_TO", "elsewhere"),
    ],
)
def test_a_bad_value_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(BadSettings, match=f"^{name}: "):
        settings(**{name: value})


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"AMBIGUOUS_HOLD_SECONDS": "60"}, 0),
        (EVENTS, 300),
        ({**EVENTS, "AMBIGUOUS_HOLD_SECONDS": "1.5"}, 1.5),
    ],
)
def test_a_doubt_is_held_only_where_ses_sends_events(
    environment: dict[str, str], seconds: float
) -> None:
    here = all_settings(**environment)
    tools = some_tools(hold_seconds=here.ambiguous_hold_seconds)
    assert CHANNEL.sender(here.of("email"), tools).hold_seconds == seconds


@pytest.mark.parametrize(
    ("value", "rate"),
    [
        # the quota at SES
        ("", None),
        ("auto", None),
        # the setting's own
        ("14", 14),
        ("0.5", 0.5),
        ("999999.25", 999999.25),
    ],
)
def test_the_rate_is_the_setting_or_the_quota_at_ses(value: str, rate: float | None) -> None:
    assert settings(EMAIL_MAX_PER_SECOND=value).email_rate == rate


def test_lists_are_split_at_commas_and_trimmed() -> None:
    here = settings(EMAIL_ALLOW=" ann@example.com , @example.org,, ")
    assert here.allowed_emails == ("ann@example.com", "@example.org")
    assert settings().allowed_emails == ()
