"""The keys of email in kinds.yaml, and that a wrong one is refused with its place."""

from pathlib import Path
from typing import Any

import pytest

from dovecote.catalog.errors import BadCatalog
from dovecote.channels.email.kind import EmailKind, check_catalog, section_of
from dovecote.channels.email.settings import EmailSettings
from dovecote.core.parsing.settings import BadSettings
from tests.unit.examples import KIND, renderer_of


def section(folder: Path, **entry: Any) -> EmailKind:
    return section_of(renderer_of("email", folder, entry)[1])


def refusal(folder: Path, **entry: Any) -> str:
    """Return in what words a catalog is refused."""
    with pytest.raises(BadCatalog) as caught:
        renderer_of("email", folder, entry)[0].check()
    return str(caught.value)


def test_an_entry_without_keys_of_email_has_the_defaults(tmp_path: Path) -> None:
    assert section(tmp_path) == EmailKind()


def test_all_keys_are_read(tmp_path: Path) -> None:
    entry = {
        "from": "Dovecote Shop <orders@Example.com>",
        "reply_to": "support@example.com",
        "headers": {"X-Name": "{{ name }}"},
        "unsubscribe_url": "https://example.com/u?n={{ name }}",
    }
    assert section(tmp_path, **entry) == EmailKind(
        sender="Dovecote Shop <orders@example.com>",
        reply_to="support@example.com",
        headers={"X-Name": "{{ name }}"},
        unsubscribe_url="https://example.com/u?n={{ name }}",
    )


def test_a_sender_beyond_ascii_is_named_in_encoded_words(tmp_path: Path) -> None:
    sender = section(tmp_path, **{"from": "B\u00fccher <books@example.com>"}).sender
    assert sender is not None
    assert sender.isascii()
    assert sender.endswith("<books@example.com>")


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        ({"headers": []}, "headers"),
        ({"headers": {"X Name": "x"}}, "headers"),
        ({"headers": {"X-Name\r\nBcc": "x"}}, "headers"),
        ({"headers": {"X-Name:": "x"}}, "headers"),
        ({"headers": {"X-Name": 5}}, "headers"),
        ({"headers": {"Reply-To": "x"}}, "headers: Reply-To"),
        ({"headers": {"content-type": "x"}}, "headers: content-type"),
        ({"unsubscribe_url": 5}, "unsubscribe_url"),
        # templates
        ({"headers": {"X-Name": "{{ surname }}"}}, "headers: X-Name"),
        ({"headers": {"X-Name": "{{ name"}}, "headers: X-Name"),
        ({"headers": {"X-Name": "{{ name|shout }}"}}, "headers: X-Name"),
        ({"unsubscribe_url": "https://example.com/{{ token }}"}, "unsubscribe_url"),
        ({"unsubscribe_url": "https://example.com/{% if %}"}, "unsubscribe_url"),
    ],
    ids=str,
)
def test_a_wrong_key_is_refused_by_file_kind_and_key(
    tmp_path: Path, entry: dict[str, Any], key: str
) -> None:
    words = refusal(tmp_path, **entry)
    assert words.startswith(f"kinds.yaml: {KIND}: ")
    assert key in words


@pytest.mark.parametrize("key", ["from", "reply_to"])
@pytest.mark.parametrize(
    "text",
    [
        "shop",
        "Shop",
        "Shop <>",
        "Shop <shop@localhost>",
        "Shop shop@example.com",
        # two, of which one would be lost without a word
        "shop@example.com, support@example.com",
        "Shop <shop@example.com>, Support <support@example.com>",
        # another header
        "Shop\r\nBcc: bob@example.com <shop@example.com>",
        "shop@example.com\r\nBcc: bob@example.com",
        # something after it
        "Shop <shop@example.com> x",
    ],
    ids=ascii,
)
def test_what_is_no_single_mailbox_is_refused(tmp_path: Path, key: str, text: str) -> None:
    assert refusal(tmp_path, **{key: text}).startswith(f"kinds.yaml: {KIND}: ")


@pytest.mark.parametrize(
    ("email_from", "own", "well"),
    [
        ("shop@example.com", {}, True),
        ("", {"from": "news@example.com"}, True),
        ("", {}, False),
    ],
)
def test_each_kind_of_email_needs_a_sender(
    tmp_path: Path, email_from: str, own: dict[str, str], well: bool
) -> None:
    _, kind = renderer_of("email", tmp_path, own)
    settings = EmailSettings(email_from=email_from)
    if well:
        check_catalog(settings, {KIND: kind})
        return
    with pytest.raises(BadSettings, match=f"^EMAIL_FROM: .*{KIND}"):
        check_catalog(settings, {KIND: kind})
