"""Each button that breaks something: break, send, mend or wait, and at the end all agrees."""

import pytest

from tests.e2e.browser import Seen
from tests.runs import Run, until

pytestmark = pytest.mark.channels("email", "push")

NOBODY = "00000000-0000-0000-0000-000000000000"

RETRYING = "Number(document.querySelector('.stage.retrying .number').textContent) > 0"
PAUSED = "document.querySelector('.paused')?.textContent.startsWith('email is paused')"


@pytest.mark.parametrize(
    ("title", "trouble"),
    [
        ("Throttle SES", PAUSED),
        ("Fail one send in three", RETRYING),
        ("Lose the next three replies", RETRYING),
        ("Stall", RETRYING),
    ],
)
def test_what_is_sent_while_the_provider_fails_is_published_once_it_is_mended(
    seen: Seen, title: str, trouble: str
) -> None:
    before = seen.number("published")
    seen.press(title)
    seen.wait("document.querySelector('#broken').textContent.startsWith('Broken')")
    assert seen.send("many-recipients.json", copies=2).startswith("202")
    seen.wait(trouble)
    seen.tab.click("#mend")
    seen.wait("!document.querySelector('#breaks button.on')")
    seen.wait_until_all_ended()
    assert seen.number("published") == before + 20


def test_replies_that_were_lost_are_counted_as_sent_twice(seen: Seen) -> None:
    before = seen.number("sent-twice")
    seen.press("Lose the next three replies")
    seen.wait("document.querySelector('#broken').textContent.startsWith('Broken')")
    seen.send("email.json")
    seen.send("email.json")
    seen.wait("!document.querySelector('#breaks button.on')")
    seen.wait_until_all_ended()
    assert seen.number("sent-twice") == before + 3
    assert "at least once" in seen.tab.inner_text("#agreement")


def test_what_a_killed_worker_held_is_sent_by_another(seen: Seen) -> None:
    published, twice = seen.number("published"), seen.number("sent-twice")
    seen.press("Kill the worker in mid-batch")
    seen.wait(f"document.querySelector('#number-sent-twice').textContent > {twice}")
    seen.wait_until_all_ended()
    assert seen.number("published") == published + 10
    assert seen.number("sent-twice") >= twice + 3


def test_postgresql_may_be_away_for_ten_seconds(seen: Seen, run: Run) -> None:
    published = seen.number("published")
    seen.press("Throttle SES")
    assert seen.send("many-recipients.json").startswith("202")
    seen.press("Stop PostgreSQL for 10 s")
    seen.wait("document.querySelector('#lamp-database').textContent === 'PostgreSQL is down'")
    assert seen.send("email.json").startswith("503")
    seen.press("Throttle SES")
    seen.wait("document.querySelector('#lamp-database').textContent === 'PostgreSQL runs'")
    seen.wait_until_all_ended()
    assert seen.number("published") == published + 10
    # A function learns by a request that its connection died: a 503, and then all is well.
    until(lambda: run.ask("GET", f"/notifications/{NOBODY}")[0] == 404, 10)
    until(lambda: run.post("email.json", "after-the-pause")[0] == 202, 10)
