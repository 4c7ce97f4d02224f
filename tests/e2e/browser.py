"""The page as a user has it: what can be seen on it and done with it."""

import json
import time
from typing import Any

from tests.runs import Run

ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A refusal that a test provokes; Chromium writes each one to the console by itself.
REFUSAL = "Failed to load resource"


class Tab:
    """One tab, and what it wrote to its console and asked for."""

    def __init__(self, tab: Any, run: Run) -> None:
        self.tab = tab
        self.run = run
        self.errors: list[str] = []
        self.requested: set[str] = set()
        tab.set_default_timeout(20_000)
        tab.on("console", self._note)
        tab.on("pageerror", lambda error: self.errors.append(str(error)))
        tab.on("request", lambda request: self.requested.add(request.url))

    def _note(self, message: Any) -> None:
        if message.type in ("error", "warning") and REFUSAL not in message.text:
            self.errors.append(message.text)

    def widen(self, width: int) -> None:
        self.tab.set_viewport_size({"width": width, "height": 800})

    def open(self, view: str) -> None:
        self.tab.click(f'#tabs a[href="#{view}"]')

    def wait(self, condition: str, seconds: float = 40) -> None:
        """Wait until a JavaScript expression holds.

        Not the driver's wait_for_function: it evaluates in the page, and the page's policy forbids.
        """
        deadline = time.monotonic() + seconds
        while not self.tab.evaluate(condition):
            assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
            self.tab.wait_for_timeout(50)

    def scrolls_sideways(self) -> bool:
        page = "document.documentElement"
        return bool(self.tab.evaluate(f"{page}.scrollWidth > {page}.clientWidth"))

    def nameless(self) -> list[str]:
        """Return the controls that have no name to tell them by."""
        found: list[str] = self.tab.evaluate(
            """() => [...document.querySelectorAll("button, a, input, select, textarea, iframe")]
                .filter((one) => !(one.textContent.trim() || one.labels?.length || one.title))
                .map((one) => one.outerHTML)"""
        )
        return found


class Console(Tab):
    """One tab with the operator's console, at an address that admits it."""

    def __init__(self, tab: Any, run: Run, address: str) -> None:
        super().__init__(tab, run)
        tab.goto(address)
        tab.wait_for_selector("#tabs a")

    def go(self, address: str) -> None:
        """Go to a view by its part of the address."""
        self.tab.evaluate(f"location.hash = {json.dumps(address)}")

    def letters(self) -> list[str]:
        """Return the kinds of the dead letters that are shown, once the API has answered."""
        self.tab.wait_for_selector(".letters > li")
        return [str(kind) for kind in self.tab.locator(".letters h3").all_inner_texts()]


class Seen(Tab):
    """One tab with the page."""

    def __init__(self, tab: Any, run: Run) -> None:
        super().__init__(tab, run)
        tab.goto(run.url)
        # The samples are there, and the first state.
        tab.wait_for_selector("#sample option", state="attached")
        tab.wait_for_selector("#verdict")

    def send(self, event: str, copies: int = 1) -> str:
        """Send an event by the form and return what the page says of the answer."""
        self.unfold()
        self.tab.evaluate("document.querySelector('#sent').replaceChildren()")
        self.tab.select_option("#sample", event)
        if copies > 1:
            self.tab.fill("#copies", str(copies))
        self.tab.click("#send button.primary")
        return str(self.tab.inner_text("#sent > *"))

    def unfold(self) -> None:
        """Open the form and the buttons, which a narrow window has closed."""
        for panel in self.tab.locator("details.panel:not([open]) > summary").all()[::-1]:
            panel.click()

    def press(self, title: str) -> None:
        self.tab.click(f"#breaks button:has-text('{title}')")

    def is_on(self, title: str) -> bool:
        button = self.tab.locator(f"#breaks button:has-text('{title}')")
        return button.get_attribute("aria-pressed") == "true"

    def number(self, name: str) -> int:
        """Return a number of the ledger's or the database's."""
        return int(self.tab.inner_text(f"#number-{name}"))

    def wait_until_all_ended(self) -> None:
        """Wait until no route is live, and ledger and database agree.

        The page may still show what was before the last request: the stack itself is asked.
        """
        published = self.run.ended()["agreement"]["published"]
        for name in ("published", "accepted-routes"):
            shown = f"document.querySelector('#number-{name}').textContent"
            self.wait(f"{shown} === '{published}'")
        self.wait("document.querySelector('#verdict').textContent === 'They agree'")
