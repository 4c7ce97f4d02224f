"""squawk reads each migration, and refuses what would stop the service on a loaded table.

https://squawkhq.com/docs/rules. store/schema/applying.py sets the timeouts that it asks for.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from dovecote.store.schema.applying import OUTSIDE, is_outside
from dovecote.store.schema.migrate import known

SQUAWK = Path(sys.executable).parent / "squawk"
EXCLUDED = (
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "require-lock-timeout",
    "require-statement-timeout",
)
"""Small integers are meant; the others concern settings of the session."""


def faults(text: str) -> list[str]:
    """Return the rules that a migration breaks."""
    options = [f"--exclude={','.join(EXCLUDED)}", "--pg-version=17", "--reporter=gcc"]
    if not is_outside(text):
        options.append("--assume-in-transaction")
    found = subprocess.run(
        [SQUAWK, *options, "--stdin-filepath=file.sql"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in found.stdout.splitlines() if line.startswith("file.sql:")]
    assert found.returncode == bool(lines), found.stderr
    return [line.split(": ")[2].partition(" ")[0] for line in lines]


@pytest.mark.parametrize("name", [migration.name for migration in known()])
def test_a_migration_is_safe_on_a_loaded_table(name: str) -> None:
    (text,) = [migration.text for migration in known() if migration.name == name]
    assert faults(text) == []


UNSAFE = {
    "an index": (
        "create index more on dovecote.notification_routes (kind);",
        "require-concurrent-index-creation",
    ),
    "a rewrite": (
        "alter table dovecote.notification_routes alter column position type text;",
        "changing-column-type",
    ),
    "a scan under a lock": (
        "alter table dovecote.notification_routes add constraint c check (claims > 0);",
        "constraint-missing-not-valid",
    ),
    "a column that needs a value": (
        "alter table dovecote.notification_routes add column more text not null;",
        "adding-required-field",
    ),
    "a column that the release before reads": (
        "alter table dovecote.notification_routes drop column data;",
        "ban-drop-column",
    ),
}


@pytest.mark.parametrize(("text", "rule"), UNSAFE.values(), ids=UNSAFE)
def test_a_migration_that_would_stop_the_service_is_refused(text: str, rule: str) -> None:
    assert rule in faults(text)


def test_a_concurrent_index_outside_a_transaction_is_accepted() -> None:
    text = "create index concurrently if not exists more on dovecote.notification_routes (kind);\n"
    assert faults(f"{OUTSIDE}\n{text}") == []
