"""What the transformed template promises of the way that notifications take by SQS."""

import pytest

from tests.infrastructure.reading import (
    STACK,
    actions,
    arn,
    function,
    permissions,
    present,
    resolver,
    resources,
)

QUEUE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
DAY = 24 * 3600


@pytest.mark.parametrize(
    "name",
    ["SubmitQueue", "SubmitDeadLetterQueue", "SubmitSource", "SubmitDeadLettersAlarm"],
)
def test_the_queue_is_there_for_whoever_would_use_it(name: str) -> None:
    assert name in present()


def test_the_function_takes_notifications_in_batches_and_names_those_that_failed() -> None:
    source = resources("AWS::Lambda::EventSourceMapping")["SubmitSource"]
    assert source["EventSourceArn"] == {"Fn::GetAtt": ["SubmitQueue", "Arn"]}
    assert source["FunctionName"] == {"Ref": "SubmitFunctionAliaslive"}
    assert source["BatchSize"] == 10
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    (taken,) = [one for one in permissions("SubmitFunction") if actions(one) == QUEUE]
    assert resolver().value(taken["Resource"]) == arn("sqs", f"{STACK}-submit")


def test_a_notification_is_hidden_for_six_timeouts_and_dead_after_ten_receives() -> None:
    queue = resources("AWS::SQS::Queue")["SubmitQueue"]
    assert queue["VisibilityTimeout"] == 6 * function("SubmitFunction")["Timeout"]
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["SubmitDeadLetterQueue", "Arn"]},
        "maxReceiveCount": 10,
    }
    assert queue["SqsManagedSseEnabled"] is True


def test_a_dead_message_is_kept_beyond_the_time_that_it_has_waited() -> None:
    """SQS counts from when it was sent, whichever queue it is in."""
    queues = resources("AWS::SQS::Queue")
    waits = queues["SubmitQueue"]["MessageRetentionPeriod"]
    assert queues["SubmitDeadLetterQueue"]["MessageRetentionPeriod"] == 14 * DAY == 2 * waits


def test_a_queue_of_notifications_lets_nobody_in_by_its_own_policy() -> None:
    policy = resources("AWS::SQS::QueuePolicy")["SubmitQueuePolicy"]
    assert policy["Queues"] == [{"Ref": "SubmitQueue"}, {"Ref": "SubmitDeadLetterQueue"}]
    (only,) = policy["PolicyDocument"]["Statement"]
    assert only["Effect"] == "Deny"
    assert only["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize(
    ("alarm", "queue"),
    [("SubmitDeadLettersAlarm", "SubmitDeadLetterQueue"), ("SubmitWaitsAlarm", "SubmitQueue")],
)
def test_somebody_is_told_of_what_waits_and_of_what_is_dead(alarm: str, queue: str) -> None:
    (dimension,) = resources("AWS::CloudWatch::Alarm")[alarm]["Dimensions"]
    name = resources("AWS::SQS::Queue")[queue]["QueueName"]
    assert resolver().value(dimension["Value"]) == resolver().value(name)
