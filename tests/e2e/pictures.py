"""Make the pictures of the page anew: python -m tests.e2e.pictures DIRECTORY."""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import psycopg
from playwright.sync_api import sync_playwright

from tests.e2e.browser import ARGUMENTS, Console, Seen, Tab
from tests.runs import Run, running

# Waits that are long enough to be seen.
SLOW = {"BACKOFF_BASE_SECONDS": "2", "BACKOFF_FACTOR": "1.5", "BACKOFF_MAX_SECONDS": "6"}
DESKTOP = {"width": 1280, "height": 960}
TALL = {"width": 1280, "height": 1220}  # a story of four attempts
CONSOLE = {"width": 1180, "height": 700}
# The later the more, as on a day that begins.
SPREAD = (
    "update dovecote.notification_routes"
    " set published_at = published_at - random() * random() * interval '59 min'"
    " where status = 'published'",
    "update dovecote.notification_events set at = at - random() * random() * interval '59 min'",
    "delete from dovecote.minutes",
    """
    insert into dovecote.minutes (minute, writer, published, failed, dead_lettered)
    select date_bin('1 minute', at, '2000-01-01 00:00Z'), 0,
           count(*) filter (where event = 'published'),
           count(*) filter (where event = 'failed'),
           count(*) filter (where event = 'dead_lettered')
    from (
        select published_at as at, 'published' as event from dovecote.notification_routes
        where status = 'published'
        union all
        select at, event from dovecote.notification_events
    ) as happened
    group by 1
    """,
)
PHONE = {"width": 360, "height": 760}


def main(directory: Path) -> int:
    """Take the pictures from a run of their own; return the exit code."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        sys.stderr.write("pictures: no chromium on this machine: apt-get install chromium\n")
        return 1
    directory.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="dovecote-pictures-") as data,
        running(Path(data) / "local", **SLOW) as run,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        _take(browser, run, directory)
        browser.close()
    for path in sorted(directory.glob("*.png")):
        sys.stdout.write(f"{path} ({path.stat().st_size // 1024} kB)\n")
    return 0


def _take(browser: Any, run: Run, directory: Path) -> None:
    light = _page(browser, run)
    for event in ("email.json", "locale.json", "both.json", "dead-letter.json"):
        light.send(event)
    light.wait_until_all_ended()
    light.tab.click("#mend")
    light.open("dead-letters")
    light.tab.click(".letter a")
    light.tab.wait_for_selector(".story")
    light.tab.set_viewport_size(TALL)
    _save(light, directory / "dead-letter.png")
    light.tab.set_viewport_size(DESKTOP)
    light.open("messages-email")
    light.tab.click(".inbox a:has-text('unterwegs')")
    light.tab.frame_locator("iframe").locator("h1").wait_for()
    _save(light, directory / "email.png")
    light.open("messages-push")
    light.tab.wait_for_selector(".phone")
    _save(light, directory / "push.png")
    light.open("routes")
    _take_routes(light, _page(browser, run, color_scheme="dark"), _narrow(browser, run), directory)
    run.mend()
    run.ended()
    _take_console(browser, run, directory)


def _take_console(browser: Any, run: Run, directory: Path) -> None:
    """Take the console's first screen while email pauses."""
    for number in range(60):
        run.post("both.json", f"console-{number}")
    run.ended()
    _spread(run)
    run.press("throttle-ses")
    run.post("many-recipients.json", "console-waits")
    tab = browser.new_context(viewport=CONSOLE).new_page()
    console = Console(tab, run, f"{run.url}/console")
    console.tab.wait_for_selector(".paused")
    _save(console, directory / "console.png")
    run.mend()
    run.ended()


def _spread(run: Run) -> None:
    """Let what the run did have been done in the course of the hour, for which nobody waits."""
    known = json.loads((run.directory / "run.json").read_text())
    with psycopg.connect(known["database_url"]) as connection:
        for statement in SPREAD:
            connection.execute(statement)


def _take_routes(light: Seen, dark: Seen, phone: Seen, directory: Path) -> None:
    """Take the routes as they move."""
    light.press("Fail one send in three")
    light.wait("document.querySelector('#breaks button.on')")
    light.send("push.json")
    light.send("many-recipients.json")
    for seen, name in ((light, "page"), (dark, "page-dark"), (phone, "page-phone")):
        seen.wait("document.querySelectorAll('.route').length > 10")
        seen.wait("document.querySelectorAll('.chip.published').length > 5")
        _save(seen, directory / f"{name}.png")


def _page(browser: Any, run: Run, **options: Any) -> Seen:
    return Seen(browser.new_context(**{"viewport": DESKTOP, **options}).new_page(), run)


def _narrow(browser: Any, run: Run) -> Seen:
    return _page(browser, run, viewport=PHONE, device_scale_factor=2)


def _save(seen: Tab, path: Path) -> None:
    seen.tab.mouse.move(0, 0)
    seen.tab.evaluate("scrollTo(0, 0)")
    seen.tab.screenshot(path=path, animations="disabled")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
