"""What a newcomer does with the page: send, watch, read."""

import json
from urllib.parse import urlsplit

import pytest

from tests.e2e.browser import Seen
from tests.runs import Run

pytestmark = pytest.mark.channels("email", "push")

OWN = ("routes", "messages-email", "messages-push", "ledger")
SHARED = ("overview", "dead-letters", "find", "templates")
SCRIPT = "<img src=x onerror=alert(1)>"


def test_an_event_is_sent_and_watched_until_it_is_published(seen: Seen, width: int) -> None:
    seen.widen(width)
    before = seen.number("published")
    assert seen.send("both.json").startswith("202 Stored.")
    seen.wait(f"Number(document.querySelector('#number-published').textContent) >= {before + 3}")
    seen.wait_until_all_ended()
    newest = seen.tab.locator(".notification").first
    assert newest.get_attribute("data-kind") == "account.login_alert"
    assert newest.locator(".chip.published").count() == 3


def test_a_notifications_story_tells_each_attempt_its_outcome_and_its_wait(seen: Seen) -> None:
    assert seen.send("fails-twice.json").startswith("202")
    seen.tab.click("#sent a")
    seen.wait("document.querySelector('.story')?.dataset.status === 'published'")
    assert seen.tab.locator(".step strong").all_inner_texts() == [
        "Submitted",
        "Attempt 1 failed",
        "Attempt 2 failed",
        "Published on attempt 3",
    ]
    errors = seen.tab.locator(".step .error").all_inner_texts()
    assert len(errors) == 2
    assert all(error.startswith("InternalServiceErrorException (500)") for error in errors)
    assert all("waits" in wait for wait in seen.tab.locator(".step .wait").all_inner_texts())
    assert seen.tab.locator(".step .wait").count() == 2
    seen.tab.click(".step.good a")
    seen.tab.frame_locator("iframe").locator("h1").wait_for()


def test_a_dead_letter_shows_its_reason(seen: Seen, width: int) -> None:
    seen.widen(width)
    seen.send("dead-letter.json")
    seen.wait_until_all_ended()
    seen.open("dead-letters")
    letter = seen.tab.locator(".letter").first.inner_text()
    assert "account.password_reset" in letter
    assert "4 attempts. Every attempt that the kind allows failed." in letter
    assert "InternalServiceErrorException (500)" in letter


def test_an_email_is_shown_as_it_looks_with_text_headers_and_tags(seen: Seen) -> None:
    seen.send("locale.json")
    seen.wait_until_all_ended()
    seen.open("messages-email")
    frame = seen.tab.wait_for_selector("iframe")
    assert frame.get_attribute("sandbox") == ""
    seen.tab.frame_locator("iframe").locator("h1").wait_for()
    shown = seen.tab.inner_text(".message")
    for text in ("Reply to", "X-Entity-Ref-ID", "route_id", "order-shipped"):
        assert text in shown


def test_a_push_is_shown_as_on_a_phone_with_its_envelope(seen: Seen) -> None:
    seen.send("push.json")
    seen.wait_until_all_ended()
    seen.open("messages-push")
    assert "Your order is almost there" in seen.tab.inner_text(".phone")
    envelope = json.loads(seen.tab.inner_text(".envelope"))
    assert envelope["aps"]["alert"]["title"] == "Your order is almost there"
    assert envelope["kind"] == "order.arriving"


def test_a_bad_request_is_told_by_pointer(seen: Seen) -> None:
    answer = seen.send("bad-payload.json")
    assert answer.startswith("422")
    assert "/payload" in answer


def test_a_replay_and_a_cancellation_are_told(seen: Seen) -> None:
    seen.send("email.json")
    assert "Replayed: stored before." in seen.send("replay.json")
    seen.send("scheduled.json")
    assert "cancelled" in seen.send("cancel.json")


def test_what_others_wrote_is_shown_as_text(seen: Seen, run: Run) -> None:
    body = {
        "kind": "account.password_reset",
        "payload": {"reset_url": "https://nestbox.example/reset/1", "valid_minutes": 15},
        "recipients": [
            {"email": "success@simulator.amazonses.com", "data": {"first_name": SCRIPT}}
        ],
    }
    headers = {"Content-Type": "application/json", "Idempotency-Key": SCRIPT}
    status, answer = run.ask("POST", "/notifications", json.dumps(body), **headers)
    assert status == 202
    seen.wait(f"document.querySelector('.key').textContent === {json.dumps(SCRIPT)}")
    seen.tab.goto(f"{run.url}/#notifications/{answer['notification_id']}")
    seen.wait("document.querySelector('.story')?.dataset.status === 'published'")
    assert SCRIPT in seen.tab.inner_text(".about")
    seen.open("messages-email")
    seen.tab.frame_locator("iframe").get_by_text(SCRIPT).first.wait_for()
    assert seen.tab.locator("img[src=x]").count() == 0


def test_no_view_scrolls_sideways_and_nothing_is_asked_of_others(seen: Seen, width: int) -> None:
    seen.widen(width)
    seen.send("many-recipients.json")
    seen.wait_until_all_ended()
    for view in (*OWN, *SHARED):
        seen.open(view)
        seen.tab.wait_for_timeout(500)
        assert not seen.scrolls_sideways(), view
    seen.open("routes")
    seen.tab.locator(".notification a").first.click()
    seen.tab.wait_for_selector(".story")
    assert not seen.scrolls_sideways()
    assert {urlsplit(url).netloc for url in seen.requested} == {urlsplit(seen.run.url).netloc}


def test_all_can_be_done_by_keyboard(seen: Seen) -> None:
    keys = seen.tab.keyboard
    keys.press("Tab")
    assert focused(seen) == "Skip to the view"
    for _ in range(2):  # the form's heading, which folds it, and the form
        keys.press("Tab")
    assert seen.tab.evaluate("document.activeElement.id") == "sample"
    keys.type("Email")
    seen.wait("document.querySelector('#sample').value === 'email.json'")
    for _ in range(4):  # key, copies, body, send
        keys.press("Tab")
    assert focused(seen) == "Send"
    keys.press("Enter")
    seen.tab.wait_for_selector("#sent a")
    keys.press("Tab")
    assert focused(seen) == "Its story"
    keys.press("Enter")
    seen.tab.wait_for_selector(".story")
    assert focused(seen) == "account.password_reset"
    # The focus stays where it is while the page is drawn anew.
    seen.tab.focus("#breaks button")
    keys.press("Space")
    seen.wait("document.querySelector('#breaks button').ariaPressed === 'true'")
    assert focused(seen) == "Throttle SES"
    keys.press("Space")
    seen.wait("document.querySelector('#breaks button').ariaPressed === 'false'")


def focused(seen: Seen) -> str:
    return str(seen.tab.evaluate("document.activeElement.textContent.trim()"))


def test_each_control_has_a_name_and_each_region_a_heading(seen: Seen) -> None:
    assert seen.nameless() == []
    for landmark in ("header", "main", "nav[aria-label]", "section[aria-labelledby]"):
        assert seen.tab.locator(landmark).count() >= 1
    assert seen.tab.locator("[role=status]").count() >= 1


def test_a_short_id_leaves_out_the_time_at_its_beginning(seen: Seen) -> None:
    ids = [
        "0192f6a0-6b1c-7c3e-9a4d-3f1e5d7c9b2a",
        "0100018f6a2b3c4d-1b2c3d4e-5f60-4a7b-8c9d-0e1f2a3b4c5d-000000",
        "short",
    ]
    module = "import('/_console/static/words.js')"
    shown = seen.tab.evaluate(f"{module}.then(({{ short }}) => {json.dumps(ids)}.map(short))")
    assert shown == ["5d7c9b2a", "2a3b4c5d", "short"]
