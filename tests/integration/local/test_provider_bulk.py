"""SendBulkEmail, as the provider takes it: moto has no such call, botocore is the judge."""

import json
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from local.provider import Fault, Order, Provider, Running, running
from local.provider.ledger import Email
from tests.integration.local.test_provider import Clock, client, control, refusal

ANN, BOB, EVE = (f"success+{name}@simulator.amazonses.com" for name in ("ann", "bob", "eve"))
VERBATIM = '<p title="a&b">„Grüße“ &amp; {{text}} {{{html}}} \\ \' </p>\r\n'
TEMPLATE = {"Subject": "{{subject}}", "Html": "{{html}}", "Text": "{{text}}"}


@pytest.fixture
def server() -> Iterator[Running]:
    with running(Provider(clock=Clock())) as server:
        yield server


@pytest.fixture
def ses(server: Running) -> Iterator[Any]:
    yield from client("sesv2", server)


def entry(to: str, **parts: str) -> dict[str, Any]:
    data = {"subject": "Hi", "html": "<p>Hi</p>", "text": "Hi"} | parts
    return {
        "Destination": {"ToAddresses": [to]},
        "ReplacementTags": [{"Name": "route_id", "Value": to.partition("@")[0].partition("+")[2]}],
        "ReplacementHeaders": [{"Name": "List-Unsubscribe", "Value": f"<https://u.example/{to}>"}],
        "ReplacementEmailContent": {
            "ReplacementTemplate": {"ReplacementTemplateData": json.dumps(data)}
        },
    }


def request(*entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    content = {"Template": {"TemplateContent": TEMPLATE, "TemplateData": "{}"}}
    return {
        "FromEmailAddress": "Shop <shop@example.com>",
        "DefaultContent": content,
        "BulkEmailEntries": list(entries),
        **changes,
    }


def template(**changes: Any) -> dict[str, Any]:
    return {"Template": {"TemplateContent": TEMPLATE, "TemplateData": "{}", **changes}}


def statuses(answer: Any) -> list[str]:
    return [result["Status"] for result in answer["BulkEmailEntryResults"]]


def outcomes(server: Running) -> list[tuple[str, str]]:
    return [(row.target, row.outcome) for row in server.provider.ledger.attempts]


def test_each_entry_is_accepted_by_itself_with_all_that_was_sent(ses: Any, server: Running) -> None:
    answer = ses.send_bulk_email(
        **request(
            entry(ANN, subject='"A" & B', html=VERBATIM, text=VERBATIM),
            entry(BOB),
            ReplyToAddresses=["help@example.com"],
            ConfigurationSetName="shop",
        )
    )
    first, second = server.provider.ledger.accepted
    ids = [result["MessageId"] for result in answer["BulkEmailEntryResults"]]
    assert [first.message_id, second.message_id] == ids
    assert statuses(answer) == ["SUCCESS", "SUCCESS"]
    assert (first.operation, first.route_id, second.route_id) == ("SendBulkEmail", "ann", "bob")
    assert first.content == Email(
        source="Shop <shop@example.com>",
        destination=(ANN,),
        subject='"A" & B',
        html=VERBATIM,
        text=VERBATIM,
        reply_to=("help@example.com",),
        headers={"List-Unsubscribe": f"<https://u.example/{ANN}>"},
        tags={"route_id": "ann"},
        configuration_set="shop",
    )
    calls = {row.call for row in server.provider.ledger.attempts}
    assert len(calls) == 1
    assert None not in calls


def test_every_status_is_one_of_the_sdks_model(ses: Any, server: Running) -> None:
    model = botocore.session.get_session().get_service_model("sesv2")
    known = set(model.shape_for("BulkEmailStatus").enum)
    for code, status in (("BadRequestException", 400), ("Unheard", 400), ("InternalFailure", 500)):
        server.provider.give(Order(do=Fault.ERROR, address=ANN, code=code, status=status, times=1))
    found = [statuses(ses.send_bulk_email(**request(entry(ANN))))[0] for _ in range(4)]
    assert found == ["INVALID_PARAMETER", "FAILED", "TRANSIENT_FAILURE", "SUCCESS"]
    assert set(found) <= known


@pytest.mark.parametrize(
    ("order", "status"),
    [
        (Order(do=Fault.THROTTLE, address=BOB), "ACCOUNT_THROTTLED"),
        (
            Order(do=Fault.ERROR, address=BOB, status=400, code="MessageRejected"),
            "MESSAGE_REJECTED",
        ),
        (Order(do=Fault.ERROR, tags={"route_id": "bob"}), "TRANSIENT_FAILURE"),
        # a status by its own name
        (
            Order(do=Fault.ERROR, address=BOB, code="CONFIGURATION_SET_SENDING_PAUSED"),
            "CONFIGURATION_SET_SENDING_PAUSED",
        ),
    ],
)
def test_an_order_for_one_address_fails_its_entry_alone(
    ses: Any, server: Running, order: Order, status: str
) -> None:
    server.provider.give(order)
    answer = ses.send_bulk_email(**request(entry(ANN), entry(BOB), entry(EVE)))
    assert statuses(answer) == ["SUCCESS", status, "SUCCESS"]
    assert [row.target for row in server.provider.ledger.accepted] == [ANN, EVE]
    assert [target for target, _ in outcomes(server)] == [ANN, BOB, EVE]


def test_an_order_for_any_address_refuses_the_call(ses: Any, server: Running) -> None:
    server.provider.give(Order(do=Fault.ERROR, status=400, code="BadRequestException", times=1))
    code, status, _ = refusal(ses.send_bulk_email, **request(entry(ANN), entry(BOB)))
    assert (code, status) == ("BadRequestException", 400)
    assert outcomes(server) == [(ANN, "BadRequestException"), (BOB, "BadRequestException")]
    server.provider.give(Order(do=Fault.THROTTLE, times=1))
    assert refusal(ses.send_bulk_email, **request(entry(ANN)))[1] == 429
    assert statuses(ses.send_bulk_email(**request(entry(ANN)))) == ["SUCCESS"]


def test_a_refusal_at_a_rate_fails_that_share_of_the_entries(ses: Any, server: Running) -> None:
    server.provider.give(Order(do=Fault.ERROR, rate=1 / 3))
    found = statuses(ses.send_bulk_email(**request(*[entry(ANN)] * 50)))
    assert 5 <= found.count("TRANSIENT_FAILURE") <= 30
    assert found.count("SUCCESS") == 50 - found.count("TRANSIENT_FAILURE")


def test_a_whole_order_at_a_rate_refuses_calls(ses: Any, server: Running) -> None:
    server.provider.give(Order(do=Fault.ERROR, rate=0.999999, whole=True))
    assert refusal(ses.send_bulk_email, **request(entry(ANN), entry(BOB)))[1] == 500
    assert outcomes(server) == [(ANN, "InternalFailure"), (BOB, "InternalFailure")]


def test_a_whole_order_for_one_address_refuses_the_call_with_that_entry_alone(
    ses: Any, server: Running
) -> None:
    denied = Order(
        do=Fault.ERROR, address=BOB, whole=True, status=403, code="AccessDeniedException"
    )
    server.provider.give(denied)
    code, status, _ = refusal(ses.send_bulk_email, **request(entry(ANN), entry(BOB)))
    assert (code, status) == ("AccessDeniedException", 403)
    answer = ses.send_bulk_email(**request(entry(ANN), entry(EVE)))
    assert statuses(answer) == ["SUCCESS", "SUCCESS"]


@pytest.mark.parametrize(
    ("order", "error", "accepted", "outcome"),
    [
        (Order(do=Fault.CLOSE_BEFORE_ACCEPTING), ConnectionClosedError, 0, "closed"),
        (Order(do=Fault.CLOSE_AFTER_ACCEPTING), ConnectionClosedError, 2, "closed_after_accepting"),
        (Order(do=Fault.CLOSE_AFTER_ACCEPTING, address=BOB), ConnectionClosedError, 2,
         "closed_after_accepting"),
        (Order(do=Fault.STALL_AFTER_ACCEPTING, seconds=1), ReadTimeoutError, 2, "accepted"),
    ],
)  # fmt: skip
def test_a_connection_that_dies_is_that_of_all_entries(
    ses: Any, server: Running, order: Order, error: type[Exception], accepted: int, outcome: str
) -> None:
    server.provider.give(order)
    with pytest.raises(error):
        ses.send_bulk_email(**request(entry(ANN), entry(BOB)))
    assert len(server.provider.ledger.accepted) == accepted
    assert outcomes(server) == [(ANN, outcome), (BOB, outcome)]


def test_the_send_rate_counts_entries(ses: Any, server: Running) -> None:
    server.provider.send_rate = 2
    answer = ses.send_bulk_email(**request(entry(ANN), entry(BOB), entry(EVE)))
    assert statuses(answer) == ["SUCCESS", "SUCCESS", "ACCOUNT_THROTTLED"]
    assert outcomes(server)[-1] == (EVE, "TooManyRequestsException")


def test_the_events_of_each_entry_follow(ses: Any, server: Running) -> None:
    bounce = "bounce+x@simulator.amazonses.com"
    server.provider.give(Order(do=Fault.REJECT, address=EVE))
    ses.send_bulk_email(**request(entry(ANN), entry(bounce), entry(EVE)))
    told = [
        (event["detail"]["mail"]["destination"][0], event["detail"]["eventType"])
        for event in control(server, "GET", "events")[1]
    ]
    assert told == [
        (ANN, "Send"), (ANN, "Delivery"),
        (bounce, "Send"), (bounce, "Bounce"),
        (EVE, "Send"), (EVE, "Reject"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"BulkEmailEntries": []},
        {"BulkEmailEntries": [entry(ANN)] * 51},
        {"FromEmailAddress": "nobody@"},
        {"DefaultContent": {"Template": {"TemplateName": "stored"}}},
        # nothing is known of what SES would make of these in an inline template
        {"DefaultContent": template(TemplateContent={**TEMPLATE, "Html": "{{{html}}}"})},
        {"DefaultContent": template(TemplateContent={**TEMPLATE, "Text": "{{#if x}}y{{/if}}"})},
        {"DefaultContent": template(TemplateData="[]")},
        {"BulkEmailEntries": [entry(ANN, html="x" * 250_000)] * 5},
    ],
    ids=["none", "51", "sender", "stored", "braces", "helpers", "data", "size"],
)
def test_a_call_that_is_wrong_is_refused_as_a_whole(
    ses: Any, server: Running, changes: dict[str, Any]
) -> None:
    code, status, _ = refusal(ses.send_bulk_email, **(request(entry(ANN)) | changes))
    assert (code, status) == ("BadRequestException", 400)
    assert server.provider.ledger.accepted == []


@pytest.mark.parametrize(
    "wrong",
    [
        entry("nobody@"),
        {**entry(BOB), "ReplacementTags": [{"Name": "a b", "Value": "c"}]},
        {**entry(BOB), "ReplacementHeaders": [{"Name": "A B", "Value": "c"}]},
        {**entry(BOB), "ReplacementEmailContent": {}},
        entry(BOB, html="x" * 262_144),
    ],
    ids=["address", "tag", "header", "value", "size"],
)
def test_an_entry_that_is_wrong_is_refused_alone(
    ses: Any, server: Running, wrong: dict[str, Any]
) -> None:
    answer = ses.send_bulk_email(**request(entry(ANN), wrong))
    assert statuses(answer) == ["SUCCESS", "INVALID_PARAMETER"]
    assert [row.target for row in server.provider.ledger.accepted] == [ANN]


def test_an_unverified_sender_is_rejected() -> None:
    with running(Provider(strict=True)) as server:
        for ses in client("sesv2", server):
            assert refusal(ses.send_bulk_email, **request(entry(ANN)))[0] == "MessageRejected"
