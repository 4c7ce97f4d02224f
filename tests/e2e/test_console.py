"""What an operator does with the console: look, filter, redrive, find, preview."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from operate.aws import Aws
from operate.samconfig import Section
from tests.consoles import console as serving
from tests.e2e.browser import Console
from tests.runs import Run, until
from tests.unit.operate.sites import REGION, a_site, a_stack

pytestmark = pytest.mark.channels("email", "push")

DEAD = "success+dead-letter@simulator.amazonses.com"
SCRIPT = "<img src=x onerror=alert(1)>"
VIEWS = ("overview", "dead-letters", "find", "templates")


@pytest.fixture
def console(chromium: Any, run: Run) -> Iterator[Console]:
    """The console of the stack on this machine, which may write no error to the console."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    tab = Console(context.new_page(), run, f"{run.url}/console")
    yield tab
    context.close()
    run.mend()
    assert tab.errors == []


@pytest.fixture
def signed(chromium: Any, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    """The console as dovecote console serves it; the stack of this machine is the one it asks."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    section = Section(
        environment="dev", stack_name="dovecote-dev", region=REGION, profile=None, parameters={}
    )
    site = a_site(Aws(section), stack=a_stack(ApiUrl=run.url))
    with serving(site) as address:
        context = chromium.new_context(viewport={"width": 1280, "height": 900})
        tab = Console(context.new_page(), run, address)
        yield tab
        context.close()
        run.mend()
        assert tab.errors == []


def an_order(key: str, email: str = DEAD) -> str:
    """Return the body of an order's notification."""
    return json.dumps({
        "kind": "order.shipped",
        "idempotency_key": key,
        "payload": {"order_id": "1", "carrier": "DHL"},
        "recipients": [{"email": email, "data": {"first_name": "Ann"}}],
    })  # fmt: skip


def end_badly(run: Run, key: str) -> tuple[str, str]:
    """Have two emails of two kinds end as dead letters; return their notifications' ids."""
    assert run.ask("POST", "/_local/samples/dead-letter.json/order")[0] == 204
    status, reset = run.post("dead-letter.json", f"{key}-reset")
    assert status == 202
    status, order = run.ask("POST", "/notifications", an_order(f"{key}-order"))
    assert status == 202
    run.ended()
    run.mend()
    return reset["notification_id"], order["notification_id"]


def status_of(run: Run, notification_id: str) -> str:
    answer = run.ask("GET", f"/notifications/{notification_id}")[1]
    return str(answer["routes"][0]["status"])


@pytest.mark.parametrize("way", ["console", "signed"])
def test_a_dead_letter_is_redriven_by_a_click_and_its_story_tells_it(
    way: str, run: Run, request: pytest.FixtureRequest
) -> None:
    reset, _ = end_badly(run, way)
    tab: Console = request.getfixturevalue(way)
    tab.open("dead-letters")
    letter = tab.tab.locator(f".letter:has(a[href='#notifications/{reset}'])")
    assert "Every attempt that the kind allows failed." in letter.inner_text()
    letter.get_by_role("button", name="Redrive").click()
    letter.get_by_text("Redriven: it is pending again.").wait_for()
    until(lambda: status_of(run, reset) == "published", 20)
    letter.locator("h3 a").click()
    tab.wait("document.querySelector('.story')?.dataset.status === 'published'")
    told = tab.tab.locator(".step strong").all_inner_texts()
    assert told == [
        "Submitted",
        "Attempt 1 failed",
        "Attempt 2 failed",
        "Attempt 3 failed",
        "Dead letter: attempts used up",
        "Redriven",
        "Published on attempt 1",
    ]
    tab.open("dead-letters")
    tab.letters()
    assert tab.tab.locator(f".letter:has(a[href='#notifications/{reset}'])").count() == 0


def test_dead_letters_are_filtered_and_the_address_keeps_the_filter(
    console: Console, run: Run
) -> None:
    end_badly(run, "filter")
    console.open("dead-letters")
    assert {"account.password_reset", "order.shipped"} <= set(console.letters())
    console.tab.fill("#filter [name=kind]", "order.shipped")
    console.tab.click("#filter button")
    console.wait("location.hash === '#dead-letters?kind=order.shipped'")
    console.wait("[...document.querySelectorAll('.letters h3')].length > 0")
    assert set(console.letters()) == {"order.shipped"}
    console.tab.reload()
    assert set(console.letters()) == {"order.shipped"}
    console.tab.select_option("#filter [name=channel]", "push")
    console.tab.click("#filter button")
    console.tab.get_by_text("No dead letter matches.").wait_for()
    console.go("dead-letters?from=2999-01-01T00:00:00.000Z")
    console.tab.get_by_text("No dead letter matches.").wait_for()


def test_all_that_match_are_counted_confirmed_and_redriven(console: Console, run: Run) -> None:
    _, order = end_badly(run, "bulk")
    console.go("dead-letters?kind=order.shipped")
    matching = len(console.letters())
    console.tab.click("#bulk > summary")
    console.tab.get_by_role("button", name="Count").click()
    console.tab.get_by_text(f"{matching} dead letter").first.wait_for()
    assert status_of(run, order) == "dead_lettered"
    console.tab.get_by_role("button", name="Redrive …").click()
    console.tab.wait_for_selector("dialog[open]")
    console.tab.keyboard.press("Escape")
    console.tab.wait_for_selector("dialog[open]", state="hidden")
    assert status_of(run, order) == "dead_lettered"
    console.tab.get_by_role("button", name="Redrive …").click()
    console.tab.click("dialog .primary")
    console.tab.locator("#bulk").get_by_text("redriven.").first.wait_for()
    until(lambda: status_of(run, order) == "published", 20)
    console.tab.get_by_text(f"{matching} of {matching}, kind order.shipped").first.wait_for()


def test_one_that_expired_asks_until_when_it_may_be_sent(console: Console, run: Run) -> None:
    reset, _ = end_badly(run, "expired")
    known = json.loads((run.directory / "run.json").read_text())
    with psycopg.connect(known["database_url"]) as connection:
        connection.execute(
            "update dovecote.notification_routes set expires_at = created_at"
            " where notification_id = %s",
            (reset,),
        )
    console.open("dead-letters")
    letter = console.tab.locator(f".letter:has(a[href='#notifications/{reset}'])")
    letter.get_by_role("button", name="Redrive").click()
    console.tab.locator("dialog").get_by_text("It has expired").wait_for()
    console.tab.click("dialog .primary")
    letter.get_by_text("Redriven: it is pending again.").wait_for()
    until(lambda: status_of(run, reset) == "published", 20)


def test_the_overview_shows_numbers_pauses_and_the_last_hour(console: Console, run: Run) -> None:
    published = run.ended()["agreement"]["published"]
    run.press("throttle-ses")
    status, answer = run.ask("POST", "/notifications", an_order("overview", "a@example.com"))
    assert status == 202
    console.tab.locator(".paused").get_by_text("email is paused").wait_for()
    console.wait("document.querySelector('#email-live').textContent === '1'")
    run.mend()
    until(lambda: status_of(run, answer["notification_id"]) == "published", 20)
    console.wait("document.querySelector('#email-live').textContent === '0'")
    chart = console.tab.get_by_role("img", name="Published a minute")
    assert f"{published + 1:,} published in the last hour" in chart.get_attribute("aria-label")
    assert chart.locator("rect").count() == 60
    heights = [float(one.get_attribute("height")) for one in chart.locator("rect").all()]
    assert max(heights) == 100
    console.tab.locator(".chart summary").first.click()
    assert console.tab.locator(".chart table").first.is_visible()


def test_while_the_database_is_away_the_last_numbers_stay_and_the_reason_is_told(
    console: Console, run: Run
) -> None:
    console.tab.wait_for_selector(".channel")
    run.press("stop-postgres")
    console.tab.get_by_text("The database is out of reach").wait_for()
    assert console.tab.locator(".channel").count() == 2
    console.wait("!document.querySelector('.refusal')")


class Listener:
    """A server on another port of 127.0.0.1, and what it was sent."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.url = ""


@pytest.fixture
def listener() -> Iterator[Listener]:
    one = Listener()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            one.heard.append(f"{self.requestline}\n{self.headers}")
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<h1>Another server</h1>")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        one.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield one
        server.shutdown()
        thread.join()


def key_of(signed: Console) -> str:
    return str(signed.tab.evaluate("sessionStorage.getItem('key')"))


def test_the_key_leaves_the_address_bar_and_survives_a_reload(signed: Console) -> None:
    key = key_of(signed)
    assert len(key) >= 43
    for _ in range(2):
        signed.tab.wait_for_selector(".channel")
        assert urlsplit(signed.tab.url).path == "/console"
        assert key not in signed.tab.url
        assert key not in signed.tab.content()
        signed.tab.reload()
    assert not [url for url in signed.requested if key in url.partition("#")[0]]


def test_no_other_port_of_this_machine_gets_the_key(signed: Console, listener: Listener) -> None:
    key, origin = key_of(signed), "{0.scheme}://{0.netloc}".format(urlsplit(signed.tab.url))
    signed.tab.wait_for_selector(".channel")
    signed.tab.goto(f"{listener.url}/")
    signed.tab.get_by_text("Another server").wait_for()
    signed.tab.evaluate("fetch('/again')")
    # What the other server could do with a page of its own: ask the console for its data.
    asked = f"fetch('{origin}/overview', {{mode: 'no-cors', credentials: 'include'}})"
    told = signed.tab.evaluate(f"{asked}.then((answer) => answer.type, () => 'refused')")
    assert told == "refused"
    assert signed.tab.evaluate("sessionStorage.getItem('key')") is None
    assert signed.tab.context.cookies() == []
    until(lambda: len(listener.heard) >= 2, 10)
    assert not [said for said in listener.heard if key in said or "cookie" in said.lower()]


def test_a_link_opened_in_a_new_tab_works(signed: Console) -> None:
    signed.tab.wait_for_selector(".channel")
    with signed.tab.context.expect_page() as opened:
        signed.tab.click("#tabs a[href='#templates']", modifiers=["Control"])
    tab = opened.value
    tab.wait_for_selector("h2")
    tab.locator(".inbox a").first.wait_for()
    assert key_of(signed) not in tab.url


def test_a_tab_without_a_key_says_what_to_do_and_takes_one(signed: Console) -> None:
    key = key_of(signed)
    address = signed.tab.url.partition("#")[0]
    other = signed.tab.context.browser.new_context().new_page()
    other.goto(f"{address}#dead-letters")
    other.get_by_text("open the address that dovecote console printed").wait_for()
    assert other.locator("h2").inner_text() == "The console is locked"
    assert other.locator("#tabs a").count() == 0
    other.goto(f"{address}#key={'x' * 43}")
    other.get_by_text("open the address that dovecote console printed").wait_for()
    other.goto(f"{address}#key={key}")  # by the fragment alone: the page is not loaded again
    other.locator(".channel").first.wait_for()
    assert key not in other.url
    other.context.close()


def test_a_person_is_found_with_the_story_of_each_route(console: Console, run: Run) -> None:
    run.ask("POST", "/_local/samples/fails-twice.json/order")
    address = "success+fails-twice@simulator.amazonses.com"
    assert run.ask("POST", "/notifications", an_order(SCRIPT, address))[0] == 202
    run.ended()
    console.open("find")
    console.tab.select_option("#find [name=way]", "email")
    console.tab.fill("#find [name=email]", address)
    console.tab.click("#find button")
    newest = console.tab.locator(".notification").first
    assert SCRIPT in newest.inner_text()
    assert newest.locator(".chip.published").count() == 1
    newest.locator("a").click()
    console.wait("document.querySelector('.story')?.dataset.status === 'published'")
    told = console.tab.locator(".step strong").all_inner_texts()
    assert told[:3] == ["Submitted", "Attempt 1 failed", "Attempt 2 failed"]
    assert told[3] == "Published on attempt 3"
    assert console.tab.locator("img[src=x]").count() == 0


def test_what_is_found_by_key_and_what_is_not_found_are_told(console: Console, run: Run) -> None:
    run.post("email.json", "by-key")
    console.go("find?kind=account.password_reset&idempotency_key=by-key")
    console.tab.locator(".notification").get_by_text("by-key").wait_for()
    console.go("find?user_id=nobody")
    console.tab.get_by_text("Nothing was submitted so.").wait_for()
    console.go("notifications/00000000-0000-0000-0000-000000000000")
    console.tab.get_by_text("There is no such notification.").wait_for()


def test_a_template_is_shown_in_two_locales(console: Console) -> None:
    console.open("templates")
    console.tab.click(".inbox a:has-text('order.shipped')")
    heading = console.tab.locator(".message h3")
    frame = console.tab.frame_locator("iframe")
    frame.locator("h1").wait_for()
    english = heading.inner_text(), frame.locator("h1").inner_text()
    console.tab.click(".locales a:has-text('de')")
    console.wait("document.querySelector('.locales [aria-current]')?.textContent === 'de'")
    frame.locator("h1:has-text('unterwegs')").wait_for()
    assert "unterwegs" in heading.inner_text()
    assert english != (heading.inner_text(), frame.locator("h1").inner_text())
    assert console.tab.locator("iframe").get_attribute("sandbox") == ""
    assert console.tab.locator(".phone").is_visible()


def test_every_view_fits_has_names_and_can_be_left_by_keyboard(
    console: Console, run: Run, width: int
) -> None:
    run.post("many-recipients.json", f"views-{width}")
    end_badly(run, f"views-{width}")
    console.widen(width)
    for view in (*VIEWS, "find?user_id=u-1", "templates/order.shipped?locale=de"):
        console.go(view)
        console.tab.wait_for_timeout(500)
        assert not console.scrolls_sideways(), view
        assert console.nameless() == [], view
    console.tab.focus("#tabs a[href='#dead-letters']")
    console.tab.keyboard.press("Enter")
    console.wait("document.activeElement.tagName === 'H2'")
    assert console.tab.locator("[role=status]").count() >= 1
