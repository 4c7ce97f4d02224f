import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from local.provider import Fault, Order, Provider, Running, running
from local.provider.ledger import Email, Push

RECIPIENT = "success+ann@simulator.amazonses.com"


class Clock:
    """A clock that goes only when it is told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[Running]:
    with running(Provider(clock=clock)) as server:
        yield server


@pytest.fixture
def ses(server: Running) -> Iterator[Any]:
    yield from client("sesv2", server)


@pytest.fixture
def sns(server: Running) -> Iterator[Any]:
    yield from client("sns", server)


def client(service: str, server: Running) -> Iterator[Any]:
    made = boto3.client(
        service,
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=0.9),
    )
    yield made
    made.close()


def send(ses: Any, to: str = RECIPIENT, **more: Any) -> Any:
    content = {"Subject": {"Data": "Your order"}, "Body": {"Text": {"Data": "On its way."}}}
    return ses.send_email(
        **{
            "FromEmailAddress": "shop@example.com",
            "Destination": {"ToAddresses": [to]},
            "Content": {"Simple": content},
            **more,
        }
    )


def refusal(call: Any, *arguments: Any, **parameters: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **parameters)
    error = caught.value.response["Error"]
    status = caught.value.response["ResponseMetadata"]["HTTPStatusCode"]
    return error["Code"], status, error["Message"]


def endpoint(sns: Any, device: str = "token", platform: str = "APNS") -> str:
    application = sns.create_platform_application(Name="shop", Platform=platform, Attributes={})
    arn = application["PlatformApplicationArn"]
    return str(
        sns.create_platform_endpoint(PlatformApplicationArn=arn, Token=device)["EndpointArn"]
    )


def control(server: Running, method: str, path: str, body: object = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    url = f"{server.url}/_provider/{path}"
    request = urllib.request.Request(url, data=data, method=method)  # noqa: S310 - our own
    try:
        with urllib.request.urlopen(request) as response:  # noqa: S310 - our own
            return response.status, json.loads(response.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null")


# The ledger


def test_the_ledger_holds_an_email_with_all_that_was_sent(ses: Any, server: Running) -> None:
    simple = {
        "Subject": {"Data": "Grüße"},
        "Body": {"Html": {"Data": "<b>ja</b>"}, "Text": {"Data": "ja"}},
        "Headers": [{"Name": "List-Unsubscribe", "Value": "<https://example.com/u>"}],
    }
    answer = send(
        ses,
        Content={"Simple": simple},
        FromEmailAddress="Shop <shop@example.com>",
        ReplyToAddresses=["support@example.com"],
        EmailTags=[{"Name": "route_id", "Value": "r-1"}],
        ConfigurationSetName="main",
    )

    (row,) = server.provider.ledger.accepted
    assert (row.sequence, row.service, row.operation) == (1, "ses", "SendEmail")
    assert (row.message_id, row.target) == (answer["MessageId"], RECIPIENT)
    assert row.content == Email(
        source="Shop <shop@example.com>",
        destination=(RECIPIENT,),
        subject="Grüße",
        html="<b>ja</b>",
        text="ja",
        reply_to=("support@example.com",),
        headers={"List-Unsubscribe": "<https://example.com/u>"},
        tags={"route_id": "r-1"},
        configuration_set="main",
    )


def test_the_ledger_holds_a_push_with_the_text_for_its_platform(sns: Any, server: Running) -> None:
    arn = endpoint(sns, platform="GCM")
    message = json.dumps({"default": "no", "GCM": '{"fcmV1Message": {}}'})
    attributes = {"AWS.SNS.MOBILE.FCM.TTL": {"DataType": "String", "StringValue": "60"}}

    sns.publish(
        TargetArn=arn, Message=message, MessageStructure="json", MessageAttributes=attributes
    )

    (row,) = server.provider.ledger.accepted
    assert isinstance(row.content, Push)
    assert row.content.payload == '{"fcmV1Message": {}}'
    assert row.content.message == message
    assert row.content.attributes == {"AWS.SNS.MOBILE.FCM.TTL": "60"}


def test_the_ledger_keeps_the_order_over_both_services(ses: Any, sns: Any, server: Running) -> None:
    arn = endpoint(sns)
    send(ses)
    sns.publish(TargetArn=arn, Message="hello")
    send(ses)

    assert [row.service for row in server.provider.ledger.accepted] == ["ses", "sns", "ses"]
    assert [row.sequence for row in server.provider.ledger.accepted] == [1, 2, 3]


def test_refused_requests_are_received_but_not_accepted(ses: Any, server: Running) -> None:
    refusal(send, ses, to="nobody@")
    send(ses)

    ledger = server.provider.ledger
    assert ledger.received == {"SendEmail": 2}
    assert [attempt.outcome for attempt in ledger.attempts] == ["BadRequestException", "accepted"]
    assert len(ledger.accepted) == 1


# What AWS refuses and moto does not


@pytest.mark.parametrize(
    ("part", "tag"), [("name", ("a b", "c")), ("value", ("kind", "order.shipped"))]
)
def test_a_tag_with_other_characters_is_refused(ses: Any, part: str, tag: tuple[str, str]) -> None:
    code, status, message = refusal(send, ses, EmailTags=[{"Name": tag[0], "Value": tag[1]}])

    assert (code, status) == ("BadRequestException", 400)
    assert message.startswith(f"Invalid tag {part} <")


@pytest.mark.parametrize(
    "address", ["ann\r\nBcc: eve@example.com", "@example.com", "ännä@example.com", "ann"]
)
def test_a_recipient_that_is_no_address_is_refused(ses: Any, address: str) -> None:
    assert refusal(send, ses, to=address)[:2] == ("BadRequestException", 400)


def test_an_email_without_a_recipient_is_refused(ses: Any) -> None:
    assert refusal(send, ses, Destination={})[:2] == ("BadRequestException", 400)


def test_a_message_for_devices_without_a_text_for_them_is_refused(sns: Any) -> None:
    message = json.dumps({"GCM": "{}"})

    code, _, text = refusal(
        sns.publish, TargetArn=endpoint(sns), Message=message, MessageStructure="json"
    )

    assert code == "InvalidParameter"
    assert "No default entry" in text


def test_a_platform_text_that_is_no_json_object_is_refused(sns: Any) -> None:
    message = json.dumps({"default": "hello", "APNS": "hello"})

    code, _, _ = refusal(
        sns.publish, TargetArn=endpoint(sns), Message=message, MessageStructure="json"
    )

    assert code == "InvalidParameter"


@pytest.mark.parametrize(
    "message",
    [
        {"android": {"ttl": 60}},
        {"android": {"ttl": "60"}},
        {"android": {"ttl": "a minute"}},
        {"android": {"notification": {"tag": 7}}},
        {"android": {"notification": "tag"}},
        {"android": {"collapseKeys": "x"}},
        {"apns": {"headers": {"apns-expiration": 1_800_000_000}}},
        {"apns": {"headers": {"apns-expiration": "tomorrow"}}},
        {"apns": {"headers": {"apns-expiration": "-1"}}},
        {"apns": {"headers": {"apns-priority": 10}}},
        {"apns": {"headers": {"apns-priority": "high"}}},
        {"apns": {"headers": {"apns-push-type": "loud"}}},
        {"apns": {"headers": {"apns-collapse-id": "x" * 65}}},
        {"apns": {"headers": ["apns-priority"]}},
        {"apns": {"payload": {"aps": {"sound": 1}}}},
        {"apns": {"payload": {"aps": "default"}}},
        {"apns": {"payload": "default"}},
        {"webpush": {"headers": {"TTL": 60}}},
        {"webpush": {"headers": {"TTL": "60s"}}},
        {"webpush": {"headers": {"TTL": "2419201"}}},
        {"webpush": {"ttl": "60"}},
        {"data": {"payload": {}}},
        {"notification": {"title": 1}},
        {"sound": "default"},
    ],
    ids=json.dumps,
)
def test_a_message_that_fcm_would_refuse_is_refused(sns: Any, message: dict[str, Any]) -> None:
    text = json.dumps({"fcmV1Message": {"message": message}})

    code, status, words = refusal(
        sns.publish,
        TargetArn=endpoint(sns, platform="GCM"),
        Message=json.dumps({"default": "hello", "GCM": text}),
        MessageStructure="json",
    )

    assert (code, status) == ("InvalidParameter", 400)
    assert "Invalid notification for platform GCM" in words


@pytest.mark.parametrize("ttl", ["0", "60", "2419200"])
def test_a_message_that_fcm_takes_is_taken(sns: Any, server: Running, ttl: str) -> None:
    message = {
        "notification": {"title": "Hello", "body": "It is Ann"},
        "data": {"payload": "{}"},
        "android": {"ttl": f"{ttl}s", "priority": "HIGH", "notification": {"tag": "r-1"}},
        "apns": {
            "headers": {
                "apns-expiration": ttl,
                "apns-priority": "10",
                "apns-push-type": "alert",
                "apns-collapse-id": "x" * 64,
            },
            "payload": {"aps": {"sound": "default", "badge": 3}, "own": [1]},
        },
        "webpush": {"headers": {"TTL": ttl}},
    }
    text = json.dumps({"fcmV1Message": {"message": message}})

    sns.publish(
        TargetArn=endpoint(sns, platform="GCM"),
        Message=json.dumps({"default": "hello", "GCM": text}),
        MessageStructure="json",
    )

    (row,) = server.provider.ledger.accepted
    assert isinstance(row.content, Push)
    assert row.content.payload == text


def test_a_deleted_endpoint_is_refused_in_the_words_of_aws(sns: Any) -> None:
    arn = endpoint(sns)
    sns.delete_endpoint(EndpointArn=arn)

    assert refusal(sns.publish, TargetArn=arn, Message="hello") == (
        "InvalidParameter",
        400,
        "Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified",
    )


# FIFO topics


@pytest.fixture
def topic(sns: Any) -> str:
    return str(sns.create_topic(Name="t.fifo", Attributes={"FifoTopic": "true"})["TopicArn"])


def publish(sns: Any, topic: str, message: str = "{}", **more: Any) -> str:
    ids = {"MessageGroupId": "u-1", "MessageDeduplicationId": "r-1"}
    return str(sns.publish(TopicArn=topic, Message=message, **{**ids, **more})["MessageId"])


def test_a_deduplication_id_is_accepted_once_in_five_minutes(
    sns: Any, topic: str, server: Running, clock: Clock
) -> None:
    first = publish(sns, topic)
    clock.now += 299
    assert publish(sns, topic, message='{"other": 1}', MessageGroupId="u-2") == first
    clock.now += 1  # five minutes after the first, one second after its repetition
    assert publish(sns, topic) != first

    ledger = server.provider.ledger
    assert len(ledger.accepted) == 2
    outcomes = [attempt.outcome for attempt in ledger.attempts]
    assert outcomes == ["accepted", "deduplicated", "accepted"]


def test_deduplication_ids_of_two_topics_have_nothing_to_do_with_each_other(
    sns: Any, topic: str
) -> None:
    other = sns.create_topic(Name="other.fifo", Attributes={"FifoTopic": "true"})["TopicArn"]

    assert publish(sns, topic) != publish(sns, other)


def test_a_topic_can_deduplicate_by_content(sns: Any) -> None:
    attributes = {"FifoTopic": "true", "ContentBasedDeduplication": "true"}
    topic = sns.create_topic(Name="c.fifo", Attributes=attributes)["TopicArn"]

    first, second, other = (
        sns.publish(TopicArn=topic, Message=message, MessageGroupId="u-1")["MessageId"]
        for message in ("a", "a", "b")
    )

    assert first == second != other


def test_a_fifo_topic_wants_a_group(sns: Any, topic: str) -> None:
    code, _, _ = refusal(sns.publish, TopicArn=topic, Message="{}", MessageDeduplicationId="r")

    assert code == "InvalidParameter"


# The account and its send rate


def test_an_account_may_send_and_says_how_much(ses: Any, server: Running, clock: Clock) -> None:
    send(ses)
    clock.now += 86_400
    send(ses)
    server.provider.send_rate = 14

    account = ses.get_account()

    assert account["SendingEnabled"]
    assert account["ProductionAccessEnabled"]
    assert account["EnforcementStatus"] == "HEALTHY"
    assert account["DedicatedIpAutoWarmupEnabled"] is False
    assert account["SendQuota"] == {
        "Max24HourSend": -1,
        "MaxSendRate": 14,
        "SentLast24Hours": 1,
    }


def test_asking_for_the_account_is_no_request_to_send(ses: Any, server: Running) -> None:
    server.provider.give(Order(do=Fault.THROTTLE))

    # Without a rate it says one that nobody here reaches.
    assert ses.get_account()["SendQuota"]["MaxSendRate"] == 1000
    assert server.provider.ledger.attempts == []


def test_what_comes_faster_than_the_rate_is_refused_and_noted(
    ses: Any, server: Running, clock: Clock
) -> None:
    server.provider.send_rate = 2
    throttled = ("TooManyRequestsException", 429, "Maximum sending rate exceeded.")

    send(ses)
    send(ses)
    assert refusal(send, ses) == throttled
    clock.now += 0.5
    send(ses)
    assert refusal(send, ses) == throttled

    outcomes = [attempt.outcome for attempt in server.provider.ledger.attempts]
    accepted, refused = "accepted", "TooManyRequestsException"
    assert outcomes == [accepted, accepted, refused, accepted, refused]
    assert len(server.provider.ledger.accepted) == 3


def test_a_rate_saves_up_no_more_than_a_second(ses: Any, server: Running, clock: Clock) -> None:
    server.provider.send_rate = 2
    clock.now += 3600

    send(ses)
    send(ses)
    assert refusal(send, ses)[1] == 429


def test_a_rate_below_one_a_second_lets_one_through(
    ses: Any, server: Running, clock: Clock
) -> None:
    server.provider.send_rate = 0.25

    send(ses)
    clock.now += 3
    assert refusal(send, ses)[1] == 429
    clock.now += 1
    assert send(ses)["MessageId"]


def test_the_rate_is_of_email_alone(ses: Any, sns: Any, server: Running) -> None:
    arn = endpoint(sns)
    server.provider.send_rate = 1
    send(ses)

    assert sns.publish(TargetArn=arn, Message="hello")["MessageId"]
    assert refusal(send, ses)[1] == 429


def test_what_comes_too_fast_uses_up_no_order(ses: Any, server: Running, clock: Clock) -> None:
    server.provider.send_rate = 1
    (standing,) = server.provider.give(Order(do=Fault.ERROR, times=1))

    refusal(send, ses)
    assert refusal(send, ses)[1] == 429
    assert standing.used == 1
    clock.now += 1
    assert send(ses)["MessageId"]


def test_a_provider_can_begin_with_a_rate(clock: Clock) -> None:
    with running(Provider(clock=clock, send_rate=1)) as server:
        for ses in client("sesv2", server):
            send(ses)
            assert refusal(send, ses)[1] == 429
            server.provider.send_rate = None
            assert send(ses)["MessageId"]


# Orders


def test_an_order_fails_as_often_as_it_says_and_only_its_address(ses: Any, server: Running) -> None:
    (standing,) = server.provider.give(
        Order(do=Fault.ERROR, address=RECIPIENT, times=2, status=503, code="Busy", message="no")
    )

    assert refusal(send, ses) == ("Busy", 503, "no")
    assert send(ses, to="success@simulator.amazonses.com")["MessageId"]
    assert refusal(send, ses)[0] == "Busy"
    assert send(ses)["MessageId"]
    assert standing.used == 2


def test_an_order_can_be_for_tags(ses: Any, server: Running) -> None:
    server.provider.give(Order(do=Fault.THROTTLE, tags={"kind": "digest"}))
    digest, login = ([{"Name": "kind", "Value": kind}] for kind in ("digest", "login"))

    assert refusal(send, ses, EmailTags=digest)[:2] == ("TooManyRequestsException", 429)
    assert send(ses, EmailTags=login)["MessageId"]


def test_an_order_can_be_for_a_service(ses: Any, sns: Any, server: Running) -> None:
    arn = endpoint(sns)
    server.provider.give(Order(do=Fault.THROTTLE, service="sns"))

    assert refusal(sns.publish, TargetArn=arn, Message="hello")[:2] == ("Throttling", 400)
    assert send(ses)["MessageId"]


def test_an_order_can_be_for_a_devices_token(sns: Any, server: Running) -> None:
    dead, well = endpoint(sns, "dead"), endpoint(sns, "well")
    server.provider.give(Order(do=Fault.ERROR, address="dead", status=500, code="InternalError"))

    assert refusal(sns.publish, TargetArn=dead, Message="hello")[:2] == ("InternalError", 500)
    assert sns.publish(TargetArn=well, Message="hello")["MessageId"]


def test_an_order_at_a_rate_fails_that_share(ses: Any, server: Running) -> None:
    server.provider.give(Order(do=Fault.THROTTLE, rate=0.3))

    failed = 0
    for _ in range(100):
        try:
            send(ses)
        except ClientError:
            failed += 1

    assert 15 <= failed <= 45
    assert len(server.provider.ledger.accepted) == 100 - failed


def test_a_connection_closed_before_accepting_leaves_nothing(ses: Any, server: Running) -> None:
    server.provider.give(Order(do=Fault.CLOSE_BEFORE_ACCEPTING, times=1))

    with pytest.raises(ConnectionClosedError):
        send(ses)

    assert server.provider.ledger.accepted == []
    assert server.provider.ledger.attempts[0].outcome == "closed"
    assert send(ses)["MessageId"]


def test_a_connection_closed_after_accepting_leaves_an_acceptance(
    ses: Any, sns: Any, server: Running
) -> None:
    arn = endpoint(sns)
    server.provider.give(Order(do=Fault.CLOSE_AFTER_ACCEPTING))

    with pytest.raises(ConnectionClosedError):
        send(ses)
    with pytest.raises(ConnectionClosedError):
        sns.publish(TargetArn=arn, Message="hello")

    assert [row.service for row in server.provider.ledger.accepted] == ["ses", "sns"]
    assert server.provider.ledger.received == {"SendEmail": 1, "Publish": 1}
    outcomes = {attempt.outcome for attempt in server.provider.ledger.attempts}
    assert outcomes == {"closed_after_accepting"}


def test_a_close_is_abrupt(server: Running) -> None:
    server.provider.give(Order(do=Fault.CLOSE_BEFORE_ACCEPTING))
    body = b'{"Destination": {"ToAddresses": ["a@example.com"]}}'
    host, port = server.url.removeprefix("http://").split(":")

    with socket.create_connection((host, int(port)), timeout=5) as connection:
        head = "POST /v2/email/outbound-emails HTTP/1.1\r\nHost: 127.0.0.1"
        connection.sendall(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = connection.recv(100)

    assert answer == b""


def test_a_stall_delays_the_answer(ses: Any, server: Running) -> None:
    server.provider.give(Order(do=Fault.STALL, seconds=0.2, times=1))

    began = time.monotonic()
    send(ses)

    assert time.monotonic() - began >= 0.2


def test_a_client_that_hangs_up_during_a_stall_has_sent_nothing(ses: Any, server: Running) -> None:
    server.provider.give(Order(do=Fault.STALL, seconds=1, times=1))

    with pytest.raises(ReadTimeoutError):
        send(ses)
    time.sleep(1)

    assert server.provider.ledger.accepted == []
    assert [attempt.outcome for attempt in server.provider.ledger.attempts] == ["hung_up"]


def test_a_stall_after_accepting_leaves_an_acceptance(ses: Any, server: Running) -> None:
    server.provider.give(Order(do=Fault.STALL_AFTER_ACCEPTING, seconds=1, times=1))

    with pytest.raises(ReadTimeoutError):
        send(ses)

    assert len(server.provider.ledger.accepted) == 1


def test_a_rejected_email_is_accepted_and_never_delivered(ses: Any, server: Running) -> None:
    server.provider.give(Order(do=Fault.REJECT, times=1))

    answer = send(ses)

    (row,) = server.provider.ledger.accepted
    assert row.message_id == answer["MessageId"]
    assert events_of(server) == ["Email Sent", "Email Rejected"]
    detail = server.provider.events[-1]["detail"]
    assert (detail["eventType"], detail["reject"]) == ("Reject", {"reason": "Bad content"})
    assert detail["mail"]["messageId"] == answer["MessageId"]


def test_an_order_to_reject_is_for_email_alone(ses: Any, sns: Any, server: Running) -> None:
    arn = endpoint(sns)
    server.provider.give(Order(do=Fault.REJECT, times=1))

    sns.publish(TargetArn=arn, Message="hello")
    send(ses)
    send(ses)

    delivered = ["Email Sent", "Email Delivered"]
    assert events_of(server) == ["Email Sent", "Email Rejected", *delivered]


@pytest.mark.parametrize(
    ("fault", "events", "member", "says"),
    [
        (
            Fault.DELAY,
            ["Email Sent", "Email Delivery Delayed", "Email Delivered"],
            "deliveryDelay",
            {"delayType": "TransientCommunicationFailure"},
        ),
        (
            Fault.MAILBOX_FULL,
            ["Email Sent", "Email Bounced"],
            "bounce",
            {"bounceType": "Transient", "bounceSubType": "MailboxFull"},
        ),
    ],
)
def test_an_email_may_be_ordered_to_be_late_or_to_bounce_for_now(
    ses: Any, server: Running, fault: Fault, events: list[str], member: str, says: dict[str, str]
) -> None:
    server.provider.give(Order(do=fault, times=1))
    send(ses)
    assert events_of(server) == events
    told = server.provider.events[1]["detail"][member]
    assert says.items() <= told.items()
    assert told["timestamp"].endswith("Z")


# Events


def events_of(server: Running) -> list[str]:
    return [event["detail-type"] for event in server.provider.events]


@pytest.mark.parametrize(
    ("mailbox", "events"),
    [
        ("success", ["Email Sent", "Email Delivered"]),
        ("success+label", ["Email Sent", "Email Delivered"]),
        ("ooto", ["Email Sent", "Email Delivered"]),
        ("bounce+label", ["Email Sent", "Email Bounced"]),
        ("suppressionlist", ["Email Sent", "Email Bounced"]),
        ("complaint", ["Email Sent", "Email Delivered", "Email Complaint Received"]),
    ],
)
def test_a_mailbox_of_the_simulator_tells_its_story(
    ses: Any, server: Running, mailbox: str, events: list[str]
) -> None:
    send(ses, to=f"{mailbox}@simulator.amazonses.com")

    assert events_of(server) == events
    assert len(server.provider.ledger.accepted) == 1


def test_an_event_names_its_message_and_tags(ses: Any, server: Running) -> None:
    tags = [{"Name": "route_id", "Value": "r-1"}]
    answer = send(
        ses, to="bounce@simulator.amazonses.com", EmailTags=tags, ConfigurationSetName="main"
    )

    bounced = server.provider.events[-1]
    assert bounced["source"] == "aws.ses"
    assert bounced["detail"]["mail"]["messageId"] == answer["MessageId"]
    assert bounced["detail"]["mail"]["tags"] == {
        "route_id": ["r-1"],
        "ses:configuration-set": ["main"],
    }
    assert bounced["detail"]["bounce"]["bounceType"] == "Permanent"
    (recipient,) = bounced["detail"]["bounce"]["bouncedRecipients"]
    assert recipient["emailAddress"] == "bounce@simulator.amazonses.com"


def test_events_can_be_listened_to() -> None:
    heard: list[str] = []
    provider = Provider()
    provider.listeners.append(lambda event: heard.append(event["detail-type"]))
    with running(provider) as server:
        for ses in client("sesv2", server):
            send(ses)

    assert heard == ["Email Sent", "Email Delivered"]


# Control over HTTP


def test_the_ledger_can_be_read_and_emptied(ses: Any, server: Running) -> None:
    answer = send(ses)

    _, ledger = control(server, "GET", "ledger")
    assert ledger["accepted"][0]["message_id"] == answer["MessageId"]
    assert ledger["accepted"][0]["content"]["subject"] == "Your order"
    assert ledger["received"] == {"SendEmail": 1}
    assert control(server, "DELETE", "ledger") == (204, None)
    assert control(server, "GET", "ledger")[1]["accepted"] == []
    assert control(server, "GET", "events")[1] == []


def test_orders_can_be_given_read_replaced_and_withdrawn(ses: Any, server: Running) -> None:
    status, given = control(server, "POST", "orders", {"do": "throttle", "times": 1})
    assert status == 201
    refusal(send, ses)
    (standing,) = control(server, "GET", "orders")[1]
    assert (standing["id"], standing["used"]) == (given[0]["id"], 1)

    control(server, "PUT", "orders", [{"do": "error", "status": 400, "code": "MessageRejected"}])
    assert refusal(send, ses)[0] == "MessageRejected"
    (standing,) = control(server, "GET", "orders")[1]
    assert control(server, "DELETE", f"orders/{standing['id']}") == (204, None)
    assert control(server, "DELETE", f"orders/{standing['id']}")[0] == 404
    assert send(ses)["MessageId"]


def test_the_send_rate_can_be_set_read_and_lifted(ses: Any, server: Running) -> None:
    assert control(server, "GET", "send-rate") == (200, {"per_second": None})
    assert control(server, "PUT", "send-rate", {"per_second": 1}) == (200, {"per_second": 1})
    send(ses)
    assert refusal(send, ses)[1] == 429
    assert control(server, "GET", "send-rate") == (200, {"per_second": 1})

    assert control(server, "PUT", "send-rate", {"per_second": None})[0] == 200
    assert send(ses)["MessageId"]


@pytest.mark.parametrize("body", [{"per_second": 0}, {"per_second": "fast"}, {}, [14]])
def test_a_send_rate_that_is_none_is_refused(server: Running, body: object) -> None:
    assert control(server, "PUT", "send-rate", body)[0] == 400
    assert server.provider.send_rate is None


@pytest.mark.parametrize(
    ("order", "complaint"),
    [
        ({"do": "explode"}, "explode"),
        ({"do": "error", "adress": "a@example.com"}, "adress"),
        ({}, "do"),
    ],
)
def test_an_order_that_says_nothing_sensible_is_refused(
    server: Running, order: object, complaint: str
) -> None:
    status, document = control(server, "POST", "orders", order)

    assert status == 400
    assert complaint in document["message"]
