"""Settings: the design's defaults, and the variable's name where one cannot hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovecote.core.route import Channel
from dovecote.wiring.settings import BadSettings, Settings, from_environment

URL = "postgresql://dovecote@127.0.0.1:5432/dovecote"
AURORA = {"DB_HOST": "db.example.com", "DB_NAME": "dovecote", "DB_USER": "app"}
ACCOUNT = "arn:aws:sns:us-east-1:123456789012"

DEFAULTS = {
    "db_port": 5432,
    "db_host": "",
    "db_name": "",
    "db_user": "",
    "email_from": "",
    "email_configuration_set": "",
    "email_allow": "",
    "email_redirect_to": "",
    "email_feedback": "off",
    "email_max_per_second": "auto",
    "email_bulk_size": 50,
    "push_topic_arn": "",
    "push_application_arns": "",
    "max_attempts": 8,
    "backoff_base_seconds": 30,
    "backoff_factor": 2,
    "backoff_max_seconds": 3600,
    "backoff_jitter": 0.2,
    "lease_seconds": 60,
    "ambiguous_hold_seconds": 300,
    "pause_base_seconds": 2,
    "pause_max_seconds": 300,
    "send_connect_seconds": 2,
    "send_read_seconds": 10,
    "dispatch_batch_size": 100,
    "dispatch_concurrency": 32,
    "max_dispatchers": 2,
    "dispatch_function": "",
    "inline_routes": 2,
    "inline_budget_seconds": 3,
    "otel_exporter_otlp_endpoint": "",
    "retention_days": 90,
    "catalog_path": "/opt/catalog",
}


def settings(**environment: str) -> Settings:
    return from_environment({"DATABASE_URL": URL, **environment})


def refusal(environment: dict[str, str]) -> str:
    with pytest.raises(BadSettings) as caught:
        from_environment(environment)
    return str(caught.value)


@pytest.mark.parametrize(("name", "value"), DEFAULTS.items())
def test_a_default_is_the_design_s(name: str, value: object) -> None:
    assert getattr(settings(), name) == value


def test_every_setting_has_its_default_here() -> None:
    assert set(Settings.__struct_fields__) == {"database_url", *DEFAULTS}


def test_what_is_empty_is_unset() -> None:
    assert settings(**dict.fromkeys(map(str.upper, DEFAULTS), "")) == settings()


def test_what_dovecote_does_not_know_is_none_of_its_business() -> None:
    assert settings(PATH="/bin", max_attempts="1", AWS_REGION="eu-west-1") == settings()


def test_what_is_set_is_read() -> None:
    here = settings(MAX_ATTEMPTS="3", BACKOFF_JITTER="0", DB_PORT="6543", INLINE_ROUTES="0")
    assert (here.max_attempts, here.backoff_jitter) == (3, 0)
    assert (here.db_port, here.inline_routes) == (6543, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # not of its type
        ("MAX_ATTEMPTS", "many"),
        ("MAX_ATTEMPTS", "1.5"),
        ("DB_PORT", "5432x"),
        ("BACKOFF_BASE_SECONDS", "30s"),
        ("BACKOFF_JITTER", "a fifth"),
        ("AMBIGUOUS_HOLD_SECONDS", "5m"),
        ("PAUSE_BASE_SECONDS", "short"),
        ("PAUSE_MAX_SECONDS", "long"),
        # not one of its words
        ("EMAIL_FEEDBACK", "yes"),
        ("EMAIL_FEEDBACK", "ON"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https:///v1"),
        ("EMAIL_MAX_PER_SECOND", "fast"),
        ("EMAIL_MAX_PER_SECOND", "Auto"),
        ("EMAIL_MAX_PER_SECOND", "1e3"),
        ("EMAIL_MAX_PER_SECOND", "-1"),
        ("EMAIL_MAX_PER_SECOND", ".5"),
        ("EMAIL_MAX_PER_SECOND", "14/s"),
        ("EMAIL_MAX_PER_SECOND", "1000000000"),
        ("EMAIL_MAX_PER_SECOND", "14\n"),
        # out of its range
        ("MAX_ATTEMPTS", "0"),
        ("MAX_ATTEMPTS", "-1"),
        ("DB_PORT", "0"),
        ("DB_PORT", "65536"),
        ("BACKOFF_BASE_SECONDS", "-1"),
        ("BACKOFF_FACTOR", "0.5"),
        ("BACKOFF_MAX_SECONDS", "-1"),
        ("BACKOFF_JITTER", "-0.1"),
        ("BACKOFF_JITTER", "1.1"),
        ("LEASE_SECONDS", "0"),
        ("AMBIGUOUS_HOLD_SECONDS", "-1"),
        ("PAUSE_BASE_SECONDS", "0"),
        ("PAUSE_MAX_SECONDS", "0"),
        ("PAUSE_MAX_SECONDS", "86401"),
        ("INLINE_BUDGET_SECONDS", "8.1"),
        ("SEND_CONNECT_SECONDS", "0"),
        ("SEND_READ_SECONDS", "-1"),
        ("DISPATCH_BATCH_SIZE", "0"),
        ("DISPATCH_CONCURRENCY", "0"),
        ("EMAIL_BULK_SIZE", "0"),
        ("EMAIL_BULK_SIZE", "51"),
        ("MAX_DISPATCHERS", "0"),
        ("MAX_DISPATCHERS", "101"),
        ("INLINE_ROUTES", "-1"),
        ("INLINE_BUDGET_SECONDS", "0"),
        # no number of seconds that a database can add
        ("BACKOFF_BASE_SECONDS", "nan"),
        ("BACKOFF_FACTOR", "inf"),
        ("BACKOFF_MAX_SECONDS", "inf"),
        ("LEASE_SECONDS", "nan"),
        ("LEASE_SECONDS", "inf"),
        ("INLINE_BUDGET_SECONDS", "inf"),
        ("AMBIGUOUS_HOLD_SECONDS", "nan"),
        ("AMBIGUOUS_HOLD_SECONDS", "inf"),
        ("PAUSE_BASE_SECONDS", "nan"),
        ("PAUSE_MAX_SECONDS", "inf"),
        ("EMAIL_MAX_PER_SECOND", "nan"),
        ("EMAIL_MAX_PER_SECOND", "inf"),
        # not fitting another
        ("LEASE_SECONDS", "24"),
        ("BACKOFF_MAX_SECONDS", "29"),
        ("PAUSE_MAX_SECONDS", "1.9"),
        ("EMAIL_FEEDBACK", "on"),
        # which would send nothing, for ever
        ("EMAIL_MAX_PER_SECOND", "0"),
        ("EMAIL_MAX_PER_SECOND", "0.0"),
        # not what it names: each send would be refused for good
        ("EMAIL_FROM", "shop"),
        ("EMAIL_FROM", "shop@example.com, support@example.com"),
        ("EMAIL_REDIRECT_TO", "elsewhere"),
        ("PUSH_TOPIC_ARN", "topic"),
        ("PUSH_TOPIC_ARN", f"{ACCOUNT}:app/GCM/shop:x"),
        ("PUSH_APPLICATION_ARNS", "GCM"),
        ("PUSH_APPLICATION_ARNS", f"{ACCOUNT}:topic"),
        ("PUSH_APPLICATION_ARNS", f"{ACCOUNT}:app/GCM/shop,nonsense"),
        ("PUSH_APPLICATION_ARNS", f"{ACCOUNT}:app/"),
    ],
)
def test_a_bad_value_names_its_variable(name: str, value: str) -> None:
    assert refusal({"DATABASE_URL": URL, name: value}).startswith(f"{name}: ")


def test_a_refusal_repeats_no_secret() -> None:
    words = refusal({"DATABASE_URL": "postgresql://x:hunter2@db/x", "MAX_ATTEMPTS": "many"})
    assert "hunter2" not in words


# The database.


def test_a_url_needs_nothing_else_and_aurora_needs_host_name_and_user() -> None:
    assert settings().database_url == URL
    assert from_environment(AURORA).db_host == "db.example.com"


@pytest.mark.parametrize("name", ["DB_HOST", "DB_NAME", "DB_USER"])
@pytest.mark.parametrize("value", [None, ""])
def test_without_a_url_what_is_missing_is_named(name: str, value: str | None) -> None:
    environment = {key: text for key, text in AURORA.items() if key != name}
    if value is not None:
        environment[name] = value
    assert refusal(environment).startswith(f"{name}: ")


def test_an_empty_environment_is_refused() -> None:
    assert refusal({}).startswith("DB_HOST: ")


# Lease and send.


@pytest.mark.parametrize(
    ("lease", "connect", "read", "well"),
    [
        ("60", "2", "10", True),
        # exactly twice one send is not more than it
        ("24", "2", "10", False),
        ("24.1", "2", "10", True),
        ("60", "10", "20", False),
        ("5", "0.5", "1", True),
    ],
)
def test_a_lease_is_more_than_twice_a_send(lease: str, connect: str, read: str, well: bool) -> None:
    environment = {
        "DATABASE_URL": URL,
        "LEASE_SECONDS": lease,
        "SEND_CONNECT_SECONDS": connect,
        "SEND_READ_SECONDS": read,
    }
    if well:
        assert from_environment(environment).send_seconds == float(connect) + float(read)
    else:
        assert refusal(environment).startswith("LEASE_SECONDS: ")


def test_a_send_fits_into_a_run_of_dispatch() -> None:
    slow = {"DATABASE_URL": URL, "LEASE_SECONDS": "600", "SEND_READ_SECONDS": "38"}
    assert from_environment(slow).send_seconds == 40
    assert refusal(slow | {"SEND_READ_SECONDS": "38.1"}).startswith("SEND_READ_SECONDS: ")


@given(
    budget=st.floats(0.01, 1000),
    connect=st.floats(0.01, 100),
    read=st.floats(0.01, 100),
    routes=st.integers(0, 100),
)
def test_the_settings_of_the_best_effort_fit_its_budget_whatever_it_is(
    budget: float, connect: float, read: float, routes: int
) -> None:
    inline = Settings(
        inline_budget_seconds=budget,
        send_connect_seconds=connect,
        send_read_seconds=read,
        inline_routes=routes,
        lease_seconds=1000,
    ).inline
    assert inline.send_seconds < budget
    assert inline.send_connect_seconds <= connect
    assert inline.send_read_seconds <= read
    assert inline.lease_seconds > 2 * inline.send_seconds
    assert inline.lease_seconds > budget
    assert inline.dispatch_concurrency >= max(1, routes)


def test_the_default_best_effort_s_lease_is_over_before_dispatch_runs_again() -> None:
    assert settings().inline.lease_seconds < 60


# Feedback, rate and pauses.


def test_without_feedback_nothing_is_held() -> None:
    assert settings(AMBIGUOUS_HOLD_SECONDS="60").holds == {Channel.EMAIL: 0, Channel.PUSH: 0}


def test_with_feedback_emails_are_held_as_long_as_it_says_and_pushes_never() -> None:
    here = settings(EMAIL_FEEDBACK="on", EMAIL_CONFIGURATION_SET="events")
    assert here.holds == {Channel.EMAIL: 300, Channel.PUSH: 0}
    shorter = settings(
        EMAIL_FEEDBACK="on", EMAIL_CONFIGURATION_SET="events", AMBIGUOUS_HOLD_SECONDS="1.5"
    )
    assert shorter.holds[Channel.EMAIL] == 1.5


@pytest.mark.parametrize(
    ("value", "rate"),
    [
        # what SES says
        ("", None),
        ("auto", None),
        # what is written here
        ("14", 14),
        ("0.5", 0.5),
        ("999999.25", 999999.25),
    ],
)
def test_the_rate_is_what_is_set_or_what_ses_says(value: str, rate: float | None) -> None:
    assert settings(EMAIL_MAX_PER_SECOND=value).email_rate == rate


def test_a_pause_that_does_not_grow_is_well() -> None:
    here = settings(PAUSE_BASE_SECONDS="300", PAUSE_MAX_SECONDS="300")
    assert here.pause_base_seconds == here.pause_max_seconds == 300


# Lists.


def test_lists_are_split_at_commas_and_trimmed() -> None:
    here = settings(EMAIL_ALLOW=" ann@example.com , @example.org,, ")
    assert here.allowed_emails == ("ann@example.com", "@example.org")
    assert settings().allowed_emails == ()


def test_the_platform_of_an_application_is_read_from_its_arn() -> None:
    arns = [f"{ACCOUNT}:app/{name}/shop" for name in ("APNS", "APNS_SANDBOX", "GCM")]
    here = settings(PUSH_APPLICATION_ARNS=", ".join(arns))
    assert here.push_applications == dict(zip(("APNS", "APNS_SANDBOX", "GCM"), arns, strict=True))
    assert settings().push_applications == {}


@pytest.mark.parametrize("name", ["events", "events.fifo"])
def test_a_topic_is_taken_by_its_arn(name: str) -> None:
    assert settings(PUSH_TOPIC_ARN=f"{ACCOUNT}:{name}").push_topic_arn == f"{ACCOUNT}:{name}"
