"""The stack: whether it is there, of which checkout, and at rest."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from dovecote.store.schema import migrate
from operate.checks import deployed
from operate.site import read_stack
from tests.unit.operate.sites import NOON, StubbedAws, a_site, a_stack, lines

NEWEST = migrate.known()[-1].version
DEAD = "https://sqs.eu-central-1.amazonaws.com/123456789012/dovecote-dev-feedback-dead"
LOST = "https://sqs.eu-central-1.amazonaws.com/123456789012/dovecote-dev-schedule-dead"


def described(**more: Any) -> dict[str, Any]:
    return {
        "Stacks": [
            {
                "StackName": "dovecote-dev",
                "CreationTime": NOON,
                "StackStatus": "CREATE_COMPLETE",
                **more,
            }
        ]
    }


def test_a_stack_is_read_with_its_outputs_and_parameters(aws: StubbedAws) -> None:
    answer = described(
        Outputs=[{"OutputKey": "ApiUrl", "OutputValue": "https://a"}],
        Parameters=[{"ParameterKey": "EmailFeedback", "ParameterValue": "on"}],
    )
    aws.answers("cloudformation", "describe_stacks", answer, {"StackName": "dovecote-dev"})
    found = read_stack(aws.client("cloudformation"), "dovecote-dev")
    assert found is not None
    assert (found.status, found.outputs) == ("CREATE_COMPLETE", {"ApiUrl": "https://a"})
    assert found.parameters == {"EmailFeedback": "on"}


def test_a_stack_that_was_never_deployed_is_none(aws: StubbedAws) -> None:
    aws.refuses("cloudformation", "describe_stacks", "ValidationError", "does not exist")
    assert read_stack(aws.client("cloudformation"), "dovecote-dev") is None


def test_a_stack_whose_change_set_was_never_run_is_none(aws: StubbedAws) -> None:
    answer = described(StackStatus="REVIEW_IN_PROGRESS")
    aws.answers("cloudformation", "describe_stacks", answer)
    assert read_stack(aws.client("cloudformation"), "dovecote-dev") is None


def test_a_stack_that_may_not_be_read_is_not_taken_for_none(aws: StubbedAws) -> None:
    aws.refuses("cloudformation", "describe_stacks", "AccessDenied")
    with pytest.raises(ClientError):
        read_stack(aws.client("cloudformation"), "dovecote-dev")


def test_a_parameter_is_what_the_next_deploy_would_give_it(aws: StubbedAws) -> None:
    answer = described(
        Parameters=[
            {"ParameterKey": "LogLevel", "ParameterValue": "ERROR"},
            {"ParameterKey": "DbName", "ParameterValue": "deployed"},
        ]
    )
    aws.answers("cloudformation", "describe_stacks", answer)
    site = a_site(aws, LogLevel="DEBUG")
    del site.stack
    assert site.parameter("LogLevel") == "DEBUG"  # samconfig.toml's
    assert site.parameter("DbName") == "deployed"  # the stack's
    assert site.parameter("DbPort") == "5432"  # the template's
    assert site.parameter("Unknown") == ""


def test_before_the_first_deploy_nothing_is_wrong_and_nothing_goes_on(aws: StubbedAws) -> None:
    (finding,) = deployed.stack(a_site(aws))
    assert str(finding) == "--  not deployed yet: make deploy ENV=dev"
    assert finding.stops


@pytest.mark.parametrize(
    ("status", "line", "stops"),
    [
        ("CREATE_COMPLETE", "ok  the stack dovecote-dev is CREATE_COMPLETE", False),
        ("UPDATE_COMPLETE", "ok  ", False),
        ("IMPORT_COMPLETE", "ok  ", False),
        # under way
        ("UPDATE_IN_PROGRESS", "!!  the stack dovecote-dev is UPDATE_IN_PROGRESS — wait", False),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "!!  ", False),
        ("DELETE_IN_PROGRESS", "!!  ", False),
        # the release before still runs
        ("UPDATE_ROLLBACK_COMPLETE", "!!  the last deployment of dovecote-dev failed", False),
        ("UPDATE_ROLLBACK_FAILED", "!!  the last deployment of dovecote-dev failed", False),
        ("UPDATE_FAILED", "!!  the last deployment of dovecote-dev failed", False),
        # nothing runs, and nothing can be deployed over it
        ("ROLLBACK_COMPLETE", "!!  the stack dovecote-dev is ROLLBACK_COMPLETE — aws"
         " cloudformation delete-stack --stack-name dovecote-dev", True),
        ("DELETE_FAILED", "!!  ", True),
    ],
)  # fmt: skip
def test_a_status_says_whether_the_stack_can_be_looked_at(
    aws: StubbedAws, status: str, line: str, stops: bool
) -> None:
    (finding,) = deployed.stack(a_site(aws, stack=a_stack(status)))
    assert str(finding).startswith(line)
    assert finding.stops is stops


@pytest.mark.parametrize(
    ("outputs", "line"),
    [
        ({"SchemaVersion": str(NEWEST)}, f"ok  the schema is version {NEWEST}, this checkout's"),
        ({"SchemaVersion": f"{NEWEST:04}_name.sql"}, "ok  "),
        ({"SchemaVersion": str(NEWEST - 1)}, f"!!  the schema is version {NEWEST - 1}, this"
         f" checkout has {NEWEST}: the stack was deployed from an older one — make deploy ENV=dev"),
        ({"SchemaVersion": str(NEWEST + 1)}, f"!!  the schema is version {NEWEST + 1}, this"
         f" checkout has {NEWEST}: the stack was deployed from a newer one — git pull"),
        # a release without the output
        ({}, "!!  the schema is version unknown"),
        ({"SchemaVersion": ""}, "!!  the schema is version unknown"),
    ],
)  # fmt: skip
def test_the_schema_of_the_stack_is_this_checkouts(
    aws: StubbedAws, outputs: dict[str, str], line: str
) -> None:
    (said,) = lines(deployed.schema(a_site(aws, stack=a_stack(**outputs))))
    assert said.startswith(line)


def queued(aws: StubbedAws, url: str, count: int) -> None:
    aws.answers(
        "sqs",
        "get_queue_attributes",
        {"Attributes": {"ApproximateNumberOfMessages": str(count)}},
        {"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"]},
    )


def test_the_queues_that_the_stack_has_are_empty(aws: StubbedAws) -> None:
    queued(aws, DEAD, 0)
    queued(aws, LOST, 0)
    found = a_stack(FeedbackDeadLetterQueueUrl=DEAD, ScheduleDeadLetterQueueUrl=LOST)
    assert lines(deployed.queues(a_site(aws, stack=found))) == [
        "ok  dead-letter queues: 2, all empty"
    ]


def test_a_queue_that_holds_something_is_said_with_how_to_see_it(aws: StubbedAws) -> None:
    queued(aws, DEAD, 3)
    queued(aws, LOST, 0)
    found = a_stack(FeedbackDeadLetterQueueUrl=DEAD, ScheduleDeadLetterQueueUrl=LOST)
    (line,) = lines(deployed.queues(a_site(aws, stack=found)))
    assert line.startswith("!!  3 in dovecote-dev-feedback-dead: what functions/feedback failed on")
    assert f"aws sqs receive-message --queue-url {DEAD} --region eu-central-1 shows one" in line


def test_a_stack_without_queues_has_none_to_look_into(aws: StubbedAws) -> None:
    (line,) = lines(deployed.queues(a_site(aws, stack=a_stack())))
    assert line == "--  the stack has no dead-letter queues"


ASKED = {
    "AlarmNamePrefix": "dovecote-dev-",
    "AlarmTypes": ["MetricAlarm", "CompositeAlarm"],
    "StateValue": "ALARM",
}


def test_no_alarm_is_good(aws: StubbedAws) -> None:
    aws.answers("cloudwatch", "describe_alarms", {"MetricAlarms": []}, ASKED)
    assert lines(deployed.alarms(a_site(aws, stack=a_stack()))) == [
        "ok  no alarm of the stack has gone off"
    ]


def test_each_alarm_of_every_page_is_said_with_where_to_look(aws: StubbedAws) -> None:
    first = {"AlarmName": "dovecote-dev-dispatch-errors", "AlarmDescription": "Runs\nfail"}
    second = {"AlarmName": "dovecote-dev-all", "StateReason": "one of them"}
    aws.answers("cloudwatch", "describe_alarms", {"MetricAlarms": [first], "NextToken": "t"}, ASKED)
    aws.answers(
        "cloudwatch",
        "describe_alarms",
        {"CompositeAlarms": [second]},
        {**ASKED, "NextToken": "t"},
    )
    assert lines(deployed.alarms(a_site(aws, stack=a_stack()))) == [
        "!!  alarm dovecote-dev-dispatch-errors: Runs fail — look at https://console.example.com",
        "!!  alarm dovecote-dev-all: one of them — look at https://console.example.com",
    ]


@pytest.mark.parametrize("alarm", ["dispatch-errors", "oldest-due"])
def test_an_alarm_of_a_stack_whose_name_goes_on_is_not_ours(aws: StubbedAws, alarm: str) -> None:
    theirs = {"AlarmName": f"dovecote-dev-ann-{alarm}"}
    aws.answers("cloudwatch", "describe_alarms", {"MetricAlarms": [theirs]}, ASKED)
    (line,) = lines(deployed.alarms(a_site(aws, stack=a_stack())))
    assert line.startswith("ok")
