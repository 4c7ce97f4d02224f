"""Who may use the page, and what its answers say of themselves."""

import asyncio
from pathlib import Path

import aiohttp

from operate import ROOT
from tests.stacks import a_stack


def answers(tmp_path: Path, *requests: tuple[str, str, dict[str, str]]) -> list[tuple[int, str]]:
    """Send requests to a stack with its page; return their status and policy."""

    async def scenario() -> list[tuple[int, str]]:
        told = []
        stack = a_stack(tmp_path, {"LEASE_SECONDS": "60"}, tick_seconds=60, page=True)
        async with stack, aiohttp.ClientSession(stack.api_url) as session:
            for method, path, headers in requests:
                own = {name: text.replace("SELF", stack.api_url) for name, text in headers.items()}
                async with session.request(method, path, headers=own) as answer:
                    policy = answer.headers.get("Content-Security-Policy", "")
                    told.append((answer.status, policy))
        return told

    return asyncio.run(scenario())


def test_what_comes_from_elsewhere_is_refused_and_what_comes_from_here_is_answered(
    tmp_path: Path,
) -> None:
    break_, api = "/_local/breaks/stall", "/notifications"
    cases: list[tuple[tuple[str, str, dict[str, str]], int]] = [
        (("GET", "/", {}), 200),
        (("GET", "/", {"Host": "localhost:8080"}), 200),
        # A stranger's name that points at this machine: DNS rebinding.
        (("GET", "/", {"Host": "rebound.example:8080"}), 403),
        (("GET", "/_local/state", {"Host": "127.0.0.1.example"}), 403),
        (("POST", api, {"Host": "rebound.example"}), 403),
        # A foreign page's form or script.
        (("PUT", break_, {"Origin": "https://evil.example"}), 403),
        (("PUT", break_, {"Origin": "null"}), 403),
        (("PUT", break_, {"Sec-Fetch-Site": "cross-site"}), 403),
        (("POST", api, {"Origin": "http://localhost:1"}), 403),
        # The page itself, and what is no browser.
        (("PUT", break_, {"Origin": "SELF", "Sec-Fetch-Site": "same-origin"}), 200),
        (("DELETE", break_, {}), 200),
        (("POST", api, {}), 400),
        (("GET", "/notifications/no-id", {}), 404),
        (("PUT", "/_local/breaks/nothing", {}), 404),
        (("GET", "/_console/static/texts.json", {}), 200),
        (("GET", "/_local/messages/none/html", {}), 404),
        (("GET", "/_local/static/..%2f__init__.py", {}), 404),
        (("GET", "/console", {}), 200),
        (("GET", "/console", {"Host": "rebound.example"}), 403),
        (("GET", "/_console/static/..%2f__init__.py", {}), 404),
        (("GET", "/_console/templates/nothing", {}), 404),
    ]
    told = answers(tmp_path, *(request for request, _ in cases))
    wrong = [
        (request, status, wanted)
        for (request, wanted), (status, _) in zip(cases, told, strict=True)
        if status != wanted
    ]
    assert wrong == []
    assert all("default-src 'none'" in policy for _, policy in told)


def test_the_pages_own_files_ask_nothing_of_others_and_insert_no_markup() -> None:
    folders = (ROOT / "local" / "page" / "static", ROOT / "operate" / "console" / "static")
    for path in (path for folder in folders for path in folder.rglob("*.*")):
        text = path.read_text()
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert word not in text, f"{word} in {path.name}"
        assert "https://" not in text
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
