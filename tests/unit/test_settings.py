"""Settings: what is read, and the name of one that is not valid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovecote.channels import NAMES, every
from dovecote.core.parsing.settings import BadSettings
from dovecote.wiring.settings import Settings, from_environment, names
from tests.unit.examples import some_tools

URL = "postgresql://dovecote@127.0.0.1:5432/dovecote"
AURORA = {
    "DB_HOST": "db.example.com",
    "DB_PORT": "5432",
    "DB_NAME": "dovecote",
    "DB_USER": "app",
}


def settings(**environment: str) -> Settings:
    return from_environment({"DATABASE_URL": URL, **environment})


def refusal(environment: dict[str, str]) -> str:
    with pytest.raises(BadSettings) as caught:
        from_environment(environment)
    return str(caught.value)


def test_what_is_empty_is_unset() -> None:
    assert settings(**dict.fromkeys(names() - {"DATABASE_URL"}, "")) == settings()


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
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https:///v1"),
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
        # not fitting another
        ("LEASE_SECONDS", "24"),
        ("BACKOFF_MAX_SECONDS", "29"),
        ("PAUSE_MAX_SECONDS", "1.9"),
    ],
)
def test_a_bad_value_names_its_variable(name: str, value: str) -> None:
    assert refusal({"DATABASE_URL": URL, name: value}).startswith(f"{name}: ")


def test_a_refusal_repeats_no_secret() -> None:
    words = refusal({"DATABASE_URL": "postgresql://x:hunter2@db/x", "MAX_ATTEMPTS": "many"})
    assert "hunter2" not in words


# The database.


def test_a_url_needs_nothing_else_and_aurora_needs_host_port_name_and_user() -> None:
    assert settings().database_url == URL
    assert from_environment(AURORA).db_host == "db.example.com"


@pytest.mark.parametrize("name", sorted(AURORA))
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


# Doubt and pauses.


def test_a_channel_without_events_holds_nothing() -> None:
    here, tools = settings(), some_tools(hold_seconds=60.0)
    senders = [channel.sender(here.of(name), tools) for name, channel in every().items()]
    assert [sender.hold_seconds for sender in senders] == [0.0] * len(NAMES)


def test_a_pause_that_does_not_grow_is_well() -> None:
    here = settings(PAUSE_BASE_SECONDS="300", PAUSE_MAX_SECONDS="300")
    assert here.pause_base_seconds == here.pause_max_seconds == 300
