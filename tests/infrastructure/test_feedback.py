"""What the transformed template promises of the way that events take to the function feedback."""

from typing import Any

import pytest

from local.provider.ledger import Acceptance, Email
from local.provider.order import Fault
from local.provider.simulator import events
from tests.infrastructure.reading import (
    STACK,
    actions,
    arn,
    function,
    only,
    permissions,
    present,
    resolver,
    resources,
)

QUEUE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
SES = {"EmailIdentity": "example.com"}
PUSH = {"PushApplicationArns": "arn:aws:sns:us-east-1:123456789012:app/GCM/shop"}

# What the function feedback is told of, by SES's word for it where it publishes.
EVENTS = {
    "send": "Email Sent",
    "reject": "Email Rejected",
    "bounce": "Email Bounced",
    "complaint": "Email Complaint Received",
    "delivery": "Email Delivered",
    "renderingFailure": "Email Rendering Failed",
    "deliveryDelay": "Email Delivery Delayed",
}


def matches(pattern: Any, value: Any) -> bool:
    """Tell whether an event matches a pattern, as far as the template's patterns go."""
    if isinstance(pattern, dict):
        return all(name in value and matches(part, value[name]) for name, part in pattern.items())
    values = value if isinstance(value, list) else [value]
    return any(one in values or (one == {"exists": True} and values) for one in pattern)


ALWAYS = {"FeedbackFunction", "FeedbackLogs", "FeedbackRole", "FeedbackErrorsAlarm"}
QUEUES = {
    "FeedbackQueue",
    "FeedbackDeadLetterQueue",
    "FeedbackQueuePolicy",
    "FeedbackSource",
    "FeedbackDeadLettersAlarm",
}
EMAIL = {"FeedbackDestination", "FeedbackRule"}


@pytest.mark.parametrize(
    ("parameters", "parts"),
    [
        ({"PushTopicArn": "arn"}, set()),
        (SES, QUEUES | EMAIL),
        ({**SES, "EmailFeedback": "off"}, set()),
        (PUSH, QUEUES),
        ({**SES, **PUSH}, QUEUES | EMAIL),
    ],
)
def test_the_queue_is_there_where_something_tells(
    parameters: dict[str, str], parts: set[str]
) -> None:
    there = {
        name
        for name in present(**parameters)
        if name.startswith("Feedback") and "Version" not in name and "Alias" not in name
    }
    assert there == ALWAYS | parts


@pytest.mark.parametrize("configuration_set", ["", "main"])
@pytest.mark.parametrize("feedback", ["on", "off"])
def test_the_functions_are_told_of_feedback_where_events_come(
    configuration_set: str, feedback: str
) -> None:
    given = resolver(**SES, EmailConfigurationSet=configuration_set, EmailFeedback=feedback)
    told = given.value(function("DispatchFunction")["Environment"])["Variables"]
    assert told["EMAIL_CONFIGURATION_SET"] == (configuration_set or "ConfigurationSet")
    assert told["EMAIL_FEEDBACK"] == feedback


def test_ses_publishes_to_the_default_bus_what_the_rule_lets_through() -> None:
    published = only("AWS::SES::ConfigurationSetEventDestination")
    for given, name in (("main", "main"), ("", "ConfigurationSet")):
        resolved = resolver(**SES, EmailConfigurationSet=given)
        assert resolved.value(published["ConfigurationSetName"]) == name
    destination = published["EventDestination"]
    assert destination["Enabled"] is True
    assert set(destination["MatchingEventTypes"]) == set(EVENTS)
    bus = destination["EventBridgeDestination"]["EventBusArn"]["Fn::Sub"]
    assert bus.endswith(":${AWS::AccountId}:event-bus/default")
    rule = only("AWS::Events::Rule")
    assert "EventBusName" not in rule
    assert set(rule["EventPattern"]["detail-type"]) == set(EVENTS.values())


@pytest.mark.parametrize(
    ("tags", "configuration_set", "passes"),
    [
        ({"route_id": "r-1"}, "main", True),
        ({"route_id": "r-1"}, "other", False),
        ({"route_id": "r-1"}, None, False),
        ({"sender": "not Dovecote"}, "main", False),
    ],
)
@pytest.mark.parametrize("mailbox", ["success", "bounce", "complaint"])
def test_the_rule_lets_through_the_events_of_dovecotes_emails_alone(
    mailbox: str, tags: dict[str, str], configuration_set: str | None, passes: bool
) -> None:
    rule = resolver(**SES, EmailConfigurationSet="main").value(only("AWS::Events::Rule"))
    row = accepted(f"{mailbox}@simulator.amazonses.com", tags, configuration_set)
    for fault in (None, Fault.REJECT, Fault.DELAY, Fault.MAILBOX_FULL):
        told = events(row, fault)
        assert {matches(rule["EventPattern"], event) for event in told} == {passes}


def accepted(address: str, tags: dict[str, str], configuration_set: str | None) -> Acceptance:
    email = Email(
        source="shop@example.com",
        destination=(address,),
        subject="Your order",
        html=None,
        text="On its way.",
        reply_to=(),
        headers={},
        tags=tags,
        configuration_set=configuration_set,
    )
    return Acceptance(
        sequence=1,
        time=0,
        service="ses",
        operation="SendEmail",
        message_id="m-1",
        target=address,
        content=email,
    )


def test_only_the_rule_and_the_topic_may_put_events_into_the_queue() -> None:
    (target,) = only("AWS::Events::Rule")["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": ["FeedbackQueue", "Arn"]}
    policy = resources("AWS::SQS::QueuePolicy")["FeedbackQueuePolicy"]
    assert policy["Queues"] == [{"Ref": "FeedbackQueue"}]

    def who(**parameters: str) -> dict[str, str]:
        statements = resolver(**parameters).value(policy["PolicyDocument"])["Statement"]
        assert {one["Action"] for one in statements} == {"sqs:SendMessage"}
        assert {one["Resource"] for one in statements} == {"FeedbackQueue.Arn"}
        return {
            one["Principal"]["Service"]: one["Condition"]["ArnEquals"]["aws:SourceArn"]
            for one in statements
        }

    rule = {"events.amazonaws.com": "FeedbackRule.Arn"}
    topic = {"sns.amazonaws.com": "PushFeedbackTopic"}
    assert who(**SES) == rule
    assert who(**PUSH) == topic
    assert who(**SES, **PUSH) == {**rule, **topic}


def test_the_topic_tells_the_queue_as_it_was_told() -> None:
    subscription = resources("AWS::SNS::Subscription")["PushFeedbackSubscription"]
    assert subscription["Endpoint"] == {"Fn::GetAtt": ["FeedbackQueue", "Arn"]}
    assert subscription["RawMessageDelivery"] is True


def test_the_function_takes_events_in_batches_and_names_those_that_failed() -> None:
    source = resources("AWS::Lambda::EventSourceMapping")["FeedbackSource"]
    assert source["EventSourceArn"] == {"Fn::GetAtt": ["FeedbackQueue", "Arn"]}
    assert source["FunctionName"] == {"Ref": "FeedbackFunctionAliaslive"}
    assert source["BatchSize"] == 10
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    (taken,) = [one for one in permissions("FeedbackFunction") if actions(one) == QUEUE]
    assert resolver().value(taken["Resource"]) == arn("sqs", f"{STACK}-feedback")


def test_an_event_is_hidden_for_six_timeouts_and_dead_after_five_receives() -> None:
    queues = resources("AWS::SQS::Queue")
    queue, dead = queues["FeedbackQueue"], queues["FeedbackDeadLetterQueue"]
    assert queue["VisibilityTimeout"] == 6 * function("FeedbackFunction")["Timeout"]
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["FeedbackDeadLetterQueue", "Arn"]},
        "maxReceiveCount": 5,
    }
    assert dead["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert all(one["SqsManagedSseEnabled"] is True for one in queues.values())
