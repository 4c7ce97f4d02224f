"""A push notification in the operator's console."""

from tests.unit.operate.test_console import Browser, api, browser, site

__all__ = ["api", "browser", "site"]


def test_the_preview_of_a_push_notification_has_no_html(browser: Browser) -> None:
    browser.open()
    shown = browser.ask("GET", "/_console/templates/order.arriving")[2]["messages"]["push"]
    assert shown["html"] is None
    assert shown["headers"] == {}
