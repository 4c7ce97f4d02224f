"""settings.yaml of a catalog: what it may say, and what comes before it."""

import json
from pathlib import Path

import pytest

from dovecote.catalog import settings_file
from dovecote.core.parsing.settings import BadSettings
from dovecote.wiring.settings import check_file, from_environment, load
from tests.catalogs import shipped

URL = {"DATABASE_URL": "postgresql://"}


def written(folder: Path, text: str) -> Path:
    (folder / "settings.yaml").write_text(text, encoding="utf-8")
    return folder


def test_the_environment_comes_before_the_file_and_the_file_before_the_default(
    tmp_path: Path,
) -> None:
    file = settings_file.load(written(tmp_path, "LEASE_SECONDS: 90\nINLINE_ROUTES: 0\n"))
    both = from_environment({**URL, "LEASE_SECONDS": "50", "INLINE_ROUTES": ""}, file)
    default = from_environment(URL).inline_budget_seconds
    assert (both.lease_seconds, both.inline_routes) == (50, 0)
    assert both.inline_budget_seconds == default


def test_a_setting_of_a_channel_is_read_from_the_file(tmp_path: Path) -> None:
    channel = pytest.importorskip("dovecote.channels.email").CHANNEL
    file = settings_file.load(written(tmp_path, "EMAIL_BULK_SIZE: 7\n"))
    assert from_environment(URL, file).of(channel.name).email_bulk_size == 7


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("LEASE_SECOND: 90", "LEASE_SECOND: must be one of: MAX_ATTEMPTS, "),
        ("RETENTION_DAYS: 3", "RETENTION_DAYS: must be one of: "),
        ("5: 3", "5: must be one of: "),
        ("MAX_ATTEMPTS: many", "MAX_ATTEMPTS: must be an integer, not text"),
        ("MAX_ATTEMPTS: 1.5", "MAX_ATTEMPTS: must be an integer, not a number"),
        ("MAX_ATTEMPTS: true", "MAX_ATTEMPTS: must be an integer, not true or false"),
        ("MAX_ATTEMPTS:", "MAX_ATTEMPTS: must be an integer, not nothing"),
        ("MAX_ATTEMPTS: 0", "MAX_ATTEMPTS: must be an integer >= 1"),
        ("BACKOFF_JITTER: 2", "BACKOFF_JITTER: must be a number <= 1"),
        ("LEASE_SECONDS: [9]", "LEASE_SECONDS: must be a number, not a list"),
        ("LEASE_SECONDS: 24", "LEASE_SECONDS: must be more than twice SEND_CONNECT_SECONDS + "),
        ("SEND_READ_SECONDS: 39", "SEND_READ_SECONDS: must be, with SEND_CONNECT_SECONDS, at most"),
        ("PAUSE_MAX_SECONDS: 1", "PAUSE_MAX_SECONDS: must be at least PAUSE_BASE_SECONDS"),
        ("DISPATCH_BATCH_SIZE: 11", "DISPATCH_BATCH_SIZE: must be at least 12"),
        ("- LEASE_SECONDS", "must map the name of each setting to its value"),
        ("LEASE_SECONDS: 90\nLEASE_SECONDS: 91", "line 2: the key 'LEASE_SECONDS' stands twice"),
        ("a: b: c", "line 1: "),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_place(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(BadSettings) as caught:
        check_file(written(tmp_path, text))
    assert str(caught.value).startswith(f"settings.yaml: {problem}")


@pytest.mark.parametrize("text", ["", "# LEASE_SECONDS: 90\n"])
def test_a_file_of_comments_and_no_file_set_nothing(tmp_path: Path, text: str) -> None:
    assert settings_file.load(tmp_path) == {}
    assert settings_file.load(written(tmp_path, text)) == {}


def test_the_shipped_file_is_valid() -> None:
    check_file(shipped())


def test_a_compiled_file_is_read_until_its_source_changes(tmp_path: Path) -> None:
    settings_file.compile_settings(written(tmp_path, "LEASE_SECONDS: 90\n"))
    compiled = json.loads((tmp_path / "settings.json").read_text())
    (tmp_path / "settings.json").write_text(json.dumps({**compiled, "document": {"X": 1}}))
    assert settings_file.load(tmp_path) == {"X": 1}
    assert settings_file.load(written(tmp_path, "LEASE_SECONDS: 91\n")) == {"LEASE_SECONDS": 91}


def test_a_function_reads_the_file_of_its_catalog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://")
    monkeypatch.setenv("CATALOG_PATH", str(written(tmp_path, "LEASE_SECONDS: 90\n")))
    assert load.__wrapped__().lease_seconds == 90
