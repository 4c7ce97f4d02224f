import pytest

from dovecote import channels
from local.demo.case import Case, Sent
from local.demo.routes import Route, disagreements, missing
from local.provider import Ledger
from local.provider.ledger import Email, Send

ADDRESS = "success+ann@simulator.amazonses.com"
EMAIL = Email(
    source="shop@example.com",
    destination=(ADDRESS,),
    subject="Your order",
    html=None,
    text="On its way.",
    reply_to=(),
    headers={},
    tags={},
    configuration_set=None,
)
ROUTE: Route = {
    "route_id": "r-1",
    "channel": "email",
    "target": "address",
    "address": ADDRESS,
    "status": "published",
    "attempts": 1,
    "provider_message_id": "m-1",
    "last_error": None,
    "reason": None,
}


def ledger_of(*message_ids: str, address: str = ADDRESS) -> Ledger:
    ledger = Ledger()
    send = Send(service="ses", operation="SendEmail", targets=(address,), route_id="r-1")
    for message_id in message_ids:
        ledger.accept(at=0.0, send=send, message_id=message_id, content=EMAIL)
    return ledger


def test_a_route_and_its_acceptance_agree() -> None:
    assert list(disagreements([ROUTE], ledger_of("m-1"))) == []


@pytest.mark.parametrize(
    ("routes", "ledger", "complaint"),
    [
        ([], ledger_of("m-1"), "is of no route"),
        ([ROUTE], ledger_of(), "did not accept for it"),
        ([ROUTE, ROUTE | {"route_id": "r-2"}], ledger_of("m-1"), "route r-2 is published as m-1"),
        ([ROUTE], ledger_of("m-1", "m-2"), "1 messages were accepted for routes that had one"),
        ([ROUTE], ledger_of("m-1", address="eve@example.com"), "accepted for eve@example.com"),
        ([ROUTE | {"status": "retrying"}], ledger_of("m-1"), "has not ended"),
        ([ROUTE | {"status": "dead_lettered"}], ledger_of("m-1"), "is dead_lettered"),
        ([ROUTE | {"provider_message_id": None}], ledger_of(), "is published as None"),
    ],
)
def test_each_disagreement_is_told(routes: list[Route], ledger: Ledger, complaint: str) -> None:
    assert any(complaint in line for line in disagreements(routes, ledger))


def test_what_did_not_come_is_told() -> None:
    case = Case(name="a.json", event={}, expect=202, replayed=True, of=None, orders=())
    answer = Sent(path="/notifications", status=500, replayed=False, document={})

    told = list(missing([(case, answer)], [ROUTE]))

    assert told == [
        "a.json was answered 500, not 202",
        "a.json was not answered as a replay",
        *(f"a published {name} is missing" for name in channels.NAMES if name != "email"),
        "a route published on its third attempt is missing",
        "a dead letter with its reason is missing",
        "a replay is missing",
        "a 422 is missing",
    ]


@pytest.mark.parametrize("names", [("email",), ("push",), ("email", "push", "sms")])
def test_a_published_route_of_each_registered_channel_is_wanted(
    names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "NAMES", names)
    told = [line for line in missing([], [ROUTE]) if line.startswith("a published")]
    assert told == [f"a published {name} is missing" for name in names if name != "email"]
