"""The HTML of an email in the operator's console."""

from typing import Any

from tests.unit.operate.test_console import Browser, api, browser, site

__all__ = ["api", "browser", "site"]


def previewed(browser: Browser, query: str = "") -> dict[str, Any]:
    path = f"/_console/templates/order.shipped{query}"
    messages: dict[str, Any] = browser.ask("GET", path)[2]["messages"]
    return messages


def test_the_html_of_a_preview_is_in_its_locale_and_may_do_nothing(browser: Browser) -> None:
    browser.open()
    address = previewed(browser, "?locale=de")["email"]["html"]
    browser.key = ""  # a frame sends none
    status, headers, html = browser.ask("GET", address)
    assert status == 200
    assert headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert b"unterwegs" in html
    assert browser.ask("GET", f"{address[:-1]}")[0] == 404


def test_a_preview_is_shown_until_32_others_were_opened(browser: Browser) -> None:
    browser.open()
    addresses = [previewed(browser)["email"]["html"] for _ in range(33)]
    assert len(set(addresses)) == 33
    assert [browser.ask("GET", one)[0] for one in (addresses[0], *addresses[1:])] == [404] + [
        200
    ] * 32
