"""A stack that runs as make run runs it, and a headless Chromium that looks at its page."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import ARGUMENTS, Seen
from tests.runs import Run, running

# Leases that run out soon, so that a killed worker's routes are soon tried again.
QUICK = {"LEASE_SECONDS": "3", "SEND_CONNECT_SECONDS": "0.4", "SEND_READ_SECONDS": "1"}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A Chromium of this machine."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    driver = pytest.importorskip("playwright.sync_api", reason="no driver: run make e2e")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A stack of the session's own."""
    directory: Path = tmp_path_factory.mktemp("run") / "local"
    with running(directory, **QUICK) as stack:
        yield stack


@pytest.fixture(params=[1280, 360], ids=["desktop", "phone"])
def width(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def seen(chromium: Any, run: Run) -> Iterator[Seen]:
    """The page in a window, which may write no error to the console."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = Seen(context.new_page(), run)
    yield page
    context.close()
    run.mend()
    assert page.errors == []
