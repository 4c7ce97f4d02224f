"""What boto3 sees of SNS must be the same at the provider and at moto."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dovecote.channels.push.endpoints import SnsEndpoints
from dovecote.channels.push.kind import Alert
from dovecote.channels.push.message import ClientEvent, Expiry, attributes, envelope
from tests.integration.channels.conformance import aws, refusal

__all__ = ["aws"]


@pytest.fixture(scope="module")
def sns(aws: Callable[[str], Any]) -> Iterator[Any]:
    client = aws("sns")
    yield client
    client.close()


@pytest.fixture(scope="module")
def application(sns: Any) -> str:
    created = sns.create_platform_application(
        Name="shop", Platform="APNS", Attributes={"PlatformCredential": "key"}
    )
    return str(created["PlatformApplicationArn"])


@pytest.fixture
def endpoint(sns: Any, application: str, request: pytest.FixtureRequest) -> str:
    created = sns.create_platform_endpoint(
        PlatformApplicationArn=application, Token=f"token of {request.node.name}"
    )
    return str(created["EndpointArn"])


# SNS platform endpoints


def test_a_platform_application_is_named_in_its_arn(application: str) -> None:
    assert application == "arn:aws:sns:us-east-1:123456789012:app/APNS/shop"


def test_an_endpoint_begins_enabled_and_knows_its_token(sns: Any, endpoint: str) -> None:
    attributes = sns.get_endpoint_attributes(EndpointArn=endpoint)["Attributes"]

    assert endpoint.startswith("arn:aws:sns:us-east-1:123456789012:endpoint/APNS/shop/")
    assert attributes["Enabled"] == "true"
    assert attributes["Token"].startswith("token of")


def test_creating_an_endpoint_again_returns_the_same_one(sns: Any, application: str) -> None:
    token = {"PlatformApplicationArn": application, "Token": "the same"}

    first, second = (sns.create_platform_endpoint(**token)["EndpointArn"] for _ in range(2))

    assert first == second


def test_creating_an_endpoint_with_other_user_data_is_refused_in_words_that_name_it(
    sns: Any, application: str
) -> None:
    token = {"PlatformApplicationArn": application, "Token": "another"}
    arn = sns.create_platform_endpoint(**token, CustomUserData="u-1")["EndpointArn"]

    with pytest.raises(sns.exceptions.InvalidParameterException) as caught:
        sns.create_platform_endpoint(**token, CustomUserData="u-2")

    assert caught.value.response["Error"]["Message"] == (
        f"Invalid parameter: Token Reason: Endpoint {arn} already exists with the same Token, "
        "but different attributes."
    )


def test_a_token_that_has_an_endpoint_with_other_attributes_gets_that_one_enabled(
    sns: Any, application: str
) -> None:
    token = {"PlatformApplicationArn": application, "Token": "left behind"}
    arn = sns.create_platform_endpoint(**token, CustomUserData="u-1")["EndpointArn"]
    sns.set_endpoint_attributes(EndpointArn=arn, Attributes={"Enabled": "false"})

    endpoints = SnsEndpoints(client=sns, applications={"APNS": application})
    assert [endpoints.create("apns", "left behind") for _ in range(2)] == [arn, arn]

    assert sns.get_endpoint_attributes(EndpointArn=arn)["Attributes"]["Enabled"] == "true"


def test_an_endpoint_of_an_unknown_application_is_not_found(sns: Any, application: str) -> None:
    code, status = refusal(
        sns.create_platform_endpoint, PlatformApplicationArn=f"{application}x", Token="t"
    )

    assert (code, status) == ("NotFound", 404)


def test_the_attributes_of_an_unknown_endpoint_are_not_found(sns: Any, endpoint: str) -> None:
    code, status = refusal(sns.get_endpoint_attributes, EndpointArn=f"{endpoint}x")

    assert (code, status) == ("NotFound", 404)


def test_an_unknown_endpoint_cannot_be_changed(sns: Any, endpoint: str) -> None:
    code, _ = refusal(
        sns.set_endpoint_attributes, EndpointArn=f"{endpoint}x", Attributes={"Enabled": "true"}
    )

    assert code == "NotFound"


def test_deleting_an_endpoint_twice_succeeds(sns: Any, endpoint: str) -> None:
    sns.delete_endpoint(EndpointArn=endpoint)
    sns.delete_endpoint(EndpointArn=endpoint)

    code, _ = refusal(sns.get_endpoint_attributes, EndpointArn=endpoint)
    assert code == "NotFound"


# SNS Publish


def test_a_message_to_an_endpoint_gets_a_message_id(sns: Any, endpoint: str) -> None:
    message = json.dumps({"default": "hello", "APNS": json.dumps({"aps": {"alert": "hello"}})})

    published = sns.publish(TargetArn=endpoint, Message=message, MessageStructure="json")

    assert len(published["MessageId"]) == 36


def test_a_message_for_fcm_as_dovecote_makes_it_gets_a_message_id(sns: Any) -> None:
    arn = sns.create_platform_application(Name="fcm", Platform="GCM", Attributes={})
    device = sns.create_platform_endpoint(
        PlatformApplicationArn=arn["PlatformApplicationArn"], Token="of a phone"
    )
    event = ClientEvent(
        event_id="0192f6a0-0000-4000-8000-000000000001", request_id="r", trace_id="t", kind="k",
        user_id="u-1", device_session_id=None, payload={"name": "Ann"},
    )  # fmt: skip
    expiry = Expiry.of(60.0, time.time())
    finished = envelope("GCM", Alert(title="Hello", body="It is Ann"), event, expiry)

    published = sns.publish(
        TargetArn=device["EndpointArn"],
        Message=json.dumps({"default": "hello", "GCM": finished}),
        MessageStructure="json",
        MessageAttributes=attributes("GCM", event, ttl=expiry.ttl),
    )

    assert len(published["MessageId"]) == 36


def test_a_disabled_endpoint_takes_nothing_until_it_is_enabled(sns: Any, endpoint: str) -> None:
    sns.set_endpoint_attributes(EndpointArn=endpoint, Attributes={"Enabled": "false"})
    code, status = refusal(sns.publish, TargetArn=endpoint, Message="hello")
    sns.set_endpoint_attributes(EndpointArn=endpoint, Attributes={"Enabled": "true"})

    assert (code, status) == ("EndpointDisabled", 400)
    assert sns.publish(TargetArn=endpoint, Message="hello")["MessageId"]


def test_a_deleted_endpoint_takes_nothing(sns: Any, endpoint: str) -> None:
    sns.delete_endpoint(EndpointArn=endpoint)

    code, _ = refusal(sns.publish, TargetArn=endpoint, Message="hello")

    # moto: NotFound; AWS: InvalidParameter, "No endpoint found for the target arn specified"
    assert code in {"NotFound", "InvalidParameter"}


def test_creating_a_topic_again_returns_the_same_one(sns: Any) -> None:
    first, second = (sns.create_topic(Name="pushes")["TopicArn"] for _ in range(2))

    assert first == second == "arn:aws:sns:us-east-1:123456789012:pushes"


def test_a_topic_takes_a_message_with_attributes(sns: Any) -> None:
    topic = sns.create_topic(Name="pushes")["TopicArn"]
    attributes = {"kind": {"DataType": "String", "StringValue": "order.shipped"}}

    assert sns.publish(TopicArn=topic, Message="{}", MessageAttributes=attributes)["MessageId"]


def test_an_unknown_topic_is_not_found(sns: Any) -> None:
    arn = "arn:aws:sns:us-east-1:123456789012:nowhere"

    assert refusal(sns.publish, TopicArn=arn, Message="{}")[0] == "NotFound"


def test_a_topic_with_a_wrong_name_is_refused(sns: Any) -> None:
    assert refusal(sns.create_topic, Name="no spaces, please") == ("InvalidParameter", 400)


def test_a_message_over_256_kib_is_refused(sns: Any) -> None:
    topic = sns.create_topic(Name="pushes")["TopicArn"]

    code, status = refusal(sns.publish, TopicArn=topic, Message="x" * (256 * 1024 + 1))

    assert (code, status) == ("InvalidParameter", 400)


def test_a_message_structure_that_is_not_json_is_refused(sns: Any) -> None:
    topic = sns.create_topic(Name="pushes")["TopicArn"]

    code, _ = refusal(sns.publish, TopicArn=topic, Message="{}", MessageStructure="xml")

    assert code == "InvalidParameter"


FIFO = {"FifoTopic": "true", "ContentBasedDeduplication": "false"}


def test_a_fifo_topic_takes_a_message_with_a_group_and_an_id(sns: Any) -> None:
    topic = sns.create_topic(Name="pushes.fifo", Attributes=FIFO)["TopicArn"]

    published = sns.publish(
        TopicArn=topic, Message="{}", MessageGroupId="u-1", MessageDeduplicationId="r-1"
    )

    assert published["MessageId"]


def test_a_fifo_topic_wants_a_deduplication_id(sns: Any) -> None:
    topic = sns.create_topic(Name="pushes.fifo", Attributes=FIFO)["TopicArn"]

    code, _ = refusal(sns.publish, TopicArn=topic, Message="{}", MessageGroupId="u-1")

    assert code == "InvalidParameter"


def test_a_standard_topic_refuses_a_deduplication_id(sns: Any) -> None:
    topic = sns.create_topic(Name="pushes")["TopicArn"]

    code, _ = refusal(sns.publish, TopicArn=topic, Message="{}", MessageDeduplicationId="r-1")

    assert code == "InvalidParameter"
