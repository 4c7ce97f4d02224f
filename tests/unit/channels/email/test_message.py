"""What SES is asked to send: within its limits, and with nothing that it could change."""

import json
import uuid
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

from dovecote.channels.email.mail import Mail
from dovecote.channels.email.message import (
    MAX_BYTES,
    MAX_DATA,
    Letterhead,
    Message,
    bulk,
    single,
    written,
)
from dovecote.dispatch.sending.calls import requests
from tests.unit.examples import ANN, a_claim

HEAD = Letterhead(sender="Shop <shop@example.com>", reply_to=None, configuration_set="")
FULL = Letterhead(
    sender="Shop <shop@example.com>", reply_to="help@example.com", configuration_set="shop"
)


def a_message(html: str = "<p>Hi</p>", **changes: Any) -> Message:
    headers = {"List-Unsubscribe": "<https://shop.example/u/1>"}
    mail = Mail(**({"subject": "Hi", "html": html, "text": "Hi", "headers": headers} | changes))
    return written(a_claim(route_id=uuid.uuid4()), ANN, mail)


def sizes(*messages: Message) -> list[int]:
    return [len(part) for part in requests(messages, MAX_BYTES)]


def test_the_requests_are_ones_by_the_sdks_own_model() -> None:
    model = botocore.session.get_session().get_service_model("sesv2")
    for head in (HEAD, FULL):
        for operation, request in (
            ("SendEmail", single(head, a_message())),
            ("SendBulkEmail", json.loads(bulk(head, [a_message(), a_message()]))),
        ):
            shape = model.operation_model(operation).input_shape
            report = ParamValidator().validate(request, shape)
            assert report.generate_report() == ""


def test_what_a_letterhead_does_not_say_is_not_in_the_request() -> None:
    bare, full = (json.loads(bulk(head, [a_message()])) for head in (HEAD, FULL))
    assert not {"ReplyToAddresses", "ConfigurationSetName"} & bare.keys()
    assert full["ReplyToAddresses"] == ["help@example.com"]
    assert full["ConfigurationSetName"] == "shop"


def test_an_entry_says_what_was_rendered_of_its_recipient_whatever_it_holds() -> None:
    said = {"subject": "Grüße ☃ 😀", "html": '<p class="a">\\ \n\t</p>', "text": "\x00\x1f\u2028'"}
    message = a_message(**said)
    (entry,) = json.loads(bulk(HEAD, [message]))["BulkEmailEntries"]
    replaced = entry.pop("ReplacementEmailContent")["ReplacementTemplate"]
    assert json.loads(replaced["ReplacementTemplateData"]) == said
    assert entry == {
        "Destination": {"ToAddresses": [ANN]},
        "ReplacementHeaders": [{"Name": "List-Unsubscribe", "Value": "<https://shop.example/u/1>"}],
        "ReplacementTags": [
            {"Name": "route_id", "Value": str(message.claim.route_id)},
            {"Name": "claim", "Value": "1"},
            {"Name": "kind", "Value": "greeting-sent"},
        ],
    }


def test_small_messages_go_into_one_call() -> None:
    assert sizes(*[a_message()] * 50) == [50]
    assert sizes() == []


def test_a_call_stays_below_what_ses_takes() -> None:
    messages = [a_message('ü<&"\\' * 6_000) for _ in range(40)]
    found = list(requests(messages, MAX_BYTES))
    assert [message for part in found for message in part] == messages
    assert len(found) > 3
    for part in found:
        assert len(bulk(FULL, part)) <= MAX_BYTES + 1_000
    one = len(bulk(FULL, found[0][:1]))
    assert all(one * (len(part) + 1) > MAX_BYTES for part in found[:-1])


def test_what_no_bulk_call_takes_goes_alone_and_divides_no_other() -> None:
    small = a_message()
    for large in (
        # more characters than an entry may have
        a_message("x" * MAX_DATA),
        # fewer, but each is four bytes
        a_message("\N{PARTY POPPER}" * (MAX_DATA - 1_000)),
    ):
        assert sizes(small, large, small) == [1, 2]


def test_a_text_that_reads_like_a_variable_goes_alone() -> None:
    for braces in (a_message("{{text}}"), a_message(subject="{{{x}}}"), a_message(text="a {{")):
        assert sizes(a_message(), braces, a_message()) == [1, 2]
    # style sheets end like that
    assert sizes(a_message("@media{a{}}"), a_message("{ {")) == [2]
