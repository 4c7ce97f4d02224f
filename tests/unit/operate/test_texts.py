"""The display texts: one for each word that the code can store, and no other."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dovecote.core.ids import uuid7
from dovecote.core.route import Reason, Status
from operate import ROOT
from operate.texts import TEXTS, Text, short

PACKAGE = ROOT / "layers" / "dovecote" / "dovecote"
SQL = "\n".join(path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.sql")))
SECTIONS = {
    "statuses": TEXTS.statuses,
    "dead_letter_reasons": TEXTS.dead_letter_reasons,
    "skip_reasons": TEXTS.skip_reasons,
    "events": TEXTS.events,
}
ALL = [(section, name, text) for section, texts in SECTIONS.items() for name, text in texts.items()]


def allowed(constraint: str) -> set[str]:
    """Return the words that a CHECK constraint allows."""
    (words,) = re.findall(rf"constraint {constraint} check \(\s*\w+ in \(([^)]*)\)", SQL)
    return set(re.findall(r"'(\w+)'", words))


def skip_reasons(path: Path) -> Iterator[str]:
    """Yield the reasons with which a module skips routes."""
    text = path.read_text("utf-8")
    if path.name == "planning.py":
        yield from re.findall(r'^[A-Z]\w* = "([^"]+)"$', text, re.MULTILINE)
    yield from re.findall(r'Unreachable\(reason=f?"([^"]+)"', text)
    for name in re.findall(r"skip=([A-Z]\w*)", text):
        module = path.relative_to(PACKAGE.parent).with_suffix("").as_posix().replace("/", ".")
        yield getattr(importlib.import_module(module), name)


def test_every_status_has_its_text() -> None:
    assert set(TEXTS.statuses) == set(Status) == allowed("notification_routes_status")


def test_every_reason_of_a_dead_letter_has_its_text() -> None:
    known = set(TEXTS.dead_letter_reasons)
    assert known == set(Reason) == allowed("notification_dead_letters_reason")


def test_every_event_has_its_text() -> None:
    by_the_route = {"submitted", "published"}
    assert all(f"'{event}'" in SQL for event in by_the_route)
    assert set(TEXTS.events) == allowed("notification_events_event") | by_the_route


@pytest.mark.channels("email", "push")
def test_every_reason_of_a_skip_has_its_text() -> None:
    found = {reason for path in PACKAGE.rglob("*.py") for reason in skip_reasons(path)}
    found |= set(re.findall(r"(?:last_error =|coalesce\(skip,) '([^']+)'", SQL))
    assert {reason.partition(": ")[0] for reason in found} == set(TEXTS.skip_reasons)


@pytest.mark.parametrize(("section", "name", "text"), ALL, ids=lambda value: str(value)[:40])
def test_a_text_is_a_short_title_and_a_sentence(section: str, name: str, text: Text) -> None:
    assert len(text.title) <= 30
    assert text.title[0].isupper() == (section == "events")
    assert re.fullmatch(r"[A-Z].+\.", text.sentence), name
    placeholders = set(re.findall(r"{(\w*)}", text.title + text.sentence))
    assert placeholders <= ({"attempt"} if section == "events" else {"detail"})


@pytest.mark.parametrize(
    ("reason", "title", "sentence"),
    [
        ("expired", "expired", "The time to live ended before the provider accepted the message."),
        ("address is suppressed: bounced", "suppressed", "The address is suppressed (bounced)."),
        ("of an {older} release", "of an {older} release", "of an {older} release."),
    ],
)
def test_a_reason_is_described(reason: str, title: str, sentence: str) -> None:
    assert TEXTS.reason(reason) == Text(title=title, sentence=sentence)


def test_short_ids_of_one_moment_differ() -> None:
    ids = [str(uuid7()) for _ in range(100)]
    assert len({short(one) for one in ids}) == len(ids)
    assert {len(short(one)) for one in ids} == {8}
