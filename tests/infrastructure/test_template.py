"""What the transformed template promises of roles, logs, routes, feedback and settings."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from dovecote.settings import Settings, from_environment
from local.intrinsic import Resolver
from local.provider.ledger import Acceptance, Email
from local.provider.simulator import events
from local.template import read_template
from tests.infrastructure.transform import TEMPLATE, transformed

FUNCTIONS = (
    "SubmitFunction",
    "DispatchFunction",
    "ApiFunction",
    "FeedbackFunction",
    "ProvisionFunction",
)

# Names that are no settings of Dovecote: boto3 and Powertools read them for themselves.
OTHERS = {
    "AWS_ENDPOINT_URL",
    "POWERTOOLS_LOG_LEVEL",
}

# Statements for every resource, each with the reason why none can be named.
WIDE = {
    ("NetworkInterfacePolicy", "AttachToVpc"): "interfaces do not exist before Lambda makes them",
    ("DispatchRole", "ReadSendingRate"): "the action takes no resource, it is about the account",
}

ROUTES = {
    "POST /notifications",
    "GET /notifications/{notification_id}",
    "DELETE /notifications/{notification_id}",
    "PUT /users/{user_id}/devices/{device_session_id}",
    "DELETE /users/{user_id}/devices/{device_session_id}",
    "POST /dead-letters/{route_id}/redrive",
}

LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
DEVICES = {"sns:SetEndpointAttributes", "sns:DeleteEndpoint"}
QUEUE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
SENDING = {"ses:SendEmail", "sns:Publish"}
ALLOWED = {
    "SubmitFunction": {"rds-db:connect", *SENDING, *LOGS},
    "DispatchFunction": {"rds-db:connect", "ses:GetAccount", *SENDING, *LOGS},
    "ApiFunction": {"rds-db:connect", "sns:CreatePlatformEndpoint", *DEVICES, *LOGS},
    "FeedbackFunction": {"rds-db:connect", *QUEUE, *LOGS},
    "ProvisionFunction": {"rds-db:connect", *LOGS},
}

APPLICATIONS = [
    "arn:aws:sns:us-east-1:123456789012:app/APNS/shop",
    "arn:aws:sns:us-east-1:123456789012:app/GCM/shop",
]
ENDPOINTS = [
    "arn:aws:sns:us-east-1:123456789012:endpoint/APNS/shop/*",
    "arn:aws:sns:us-east-1:123456789012:endpoint/GCM/shop/*",
]


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


def resources(kind: str) -> dict[str, dict[str, Any]]:
    return {
        name: resource["Properties"]
        for name, resource in transformed()["Resources"].items()
        if resource["Type"] == kind
    }


def function(name: str) -> dict[str, Any]:
    return resources("AWS::Lambda::Function")[name]


def role_of(name: str) -> str:
    return str(function(name)["Role"]["Fn::GetAtt"][0])


def statements(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the statements of permission anywhere in a value, under conditions too."""
    if isinstance(value, dict):
        if "Effect" in value and "Principal" not in value:
            yield value
        for part in value.values():
            yield from statements(part)
    elif isinstance(value, list):
        for part in value:
            yield from statements(part)


def references(value: Any) -> Iterator[str]:
    """Yield what a value refers to by Ref."""
    if isinstance(value, dict):
        if "Ref" in value:
            yield value["Ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def permissions(name: str) -> list[dict[str, Any]]:
    """Return the statements that a function has: its role's own and those of shared policies."""
    role = resources("AWS::IAM::Role")[role_of(name)]
    shared = resources("AWS::IAM::ManagedPolicy")
    attached = [shared[one] for one in references(role["ManagedPolicyArns"]) if one in shared]
    return [*statements(role["Policies"]), *statements(attached)]


def actions(statement: dict[str, Any]) -> set[str]:
    action = statement["Action"]
    return {action} if isinstance(action, str) else set(action)


def matches(pattern: Any, value: Any) -> bool:
    """Tell whether an event matches a pattern, as far as the template's patterns go."""
    if isinstance(pattern, dict):
        return all(name in value and matches(part, value[name]) for name, part in pattern.items())
    values = value if isinstance(value, list) else [value]
    return any(one in values or (one == {"exists": True} and values) for one in pattern)


def resolver(**parameters: str) -> Resolver:
    return Resolver(
        references=parameters,
        attributes=lambda _resource, attribute: attribute,
        conditions={},
        mappings={},
    )


def only(kind: str) -> dict[str, Any]:
    (properties,) = resources(kind).values()
    return properties


def test_the_functions_are_the_five_of_the_design() -> None:
    assert set(resources("AWS::Lambda::Function")) == set(FUNCTIONS)


def test_every_function_has_a_role_of_its_own() -> None:
    assert len({role_of(name) for name in FUNCTIONS}) == len(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_may_do_what_it_needs_and_no_more(name: str) -> None:
    allowed = set().union(*map(actions, permissions(name)))
    assert {action for action in allowed if not action.startswith("ec2:")} == ALLOWED[name]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_writes_to_its_own_log_group_alone_which_forgets(name: str) -> None:
    group = function(name)["LoggingConfig"]["LogGroup"]["Ref"]
    (written,) = [one["Resource"] for one in permissions(name) if actions(one) == LOGS]
    assert written == {"Fn::GetAtt": [group, "Arn"]}
    assert group == name.replace("Function", "Logs")


def test_every_log_group_forgets() -> None:
    groups = resources("AWS::Logs::LogGroup")
    assert len(groups) == len(FUNCTIONS) + 1
    assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups.values())


def test_no_statement_is_for_every_resource_without_a_reason() -> None:
    wide = {
        (name, statement.get("Sid"))
        for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy")
        for name, properties in resources(kind).items()
        for statement in statements(properties)
        if statement["Resource"] in ("*", ["*"])
    }
    assert wide == set(WIDE)


def test_no_statement_allows_actions_by_a_pattern() -> None:
    allowed = {action for name in FUNCTIONS for one in permissions(name) for action in actions(one)}
    assert not [action for action in allowed if "*" in action]


def test_push_goes_to_the_topic_and_to_the_applications_devices_never_to_phone_numbers() -> None:
    given = resolver(PushTopicArn="topic", PushApplicationArns=",".join(APPLICATIONS))
    published = [
        given.value(one["Resource"])
        for one in permissions("DispatchFunction")
        if "sns:Publish" in actions(one)
    ]
    assert published == ["topic", ENDPOINTS]
    assert {
        str(one["Sid"]): given.value(one["Resource"])
        for one in permissions("ApiFunction")
        if str(one["Sid"]).endswith("Devices")
    } == {"RegisterDevices": APPLICATIONS, "KeepDevices": ENDPOINTS}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_told_every_setting_and_nothing_unknown(name: str) -> None:
    settings = {field.encode_name for field in msgspec.structs.fields(Settings)}
    assert set(function(name)["Environment"]["Variables"]) == settings | OTHERS


def test_the_template_has_the_defaults_of_the_settings() -> None:
    environment = read_template(TEMPLATE).functions["SubmitFunction"].environment
    told = {**environment, "DATABASE_URL": "postgresql://", "DB_NAME": "", "DB_USER": ""}
    assert from_environment(told) == Settings(database_url="postgresql://")


def test_every_route_of_the_api_asks_for_iam() -> None:
    paths = only("AWS::ApiGatewayV2::Api")["Body"]["paths"]
    routes = {
        f"{method.upper()} {path}": operation["security"]
        for path, operations in paths.items()
        for method, operation in operations.items()
    }
    assert set(routes) == ROUTES
    assert all(security == [{"AWS_IAM": []}] for security in routes.values())


def test_the_access_log_names_no_path_and_no_body() -> None:
    logged = only("AWS::ApiGatewayV2::Stage")["AccessLogSettings"]["Format"]
    assert "$context.routeKey" in logged
    assert not [name for name in ("$context.path", "body", "sourceIp") if name in logged]


def test_dispatch_runs_every_minute_and_is_not_repeated_by_lambda() -> None:
    schedule = only("AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert schedule["Target"]["Arn"] == {"Fn::GetAtt": ["DispatchFunction", "Arn"]}
    assert only("AWS::Lambda::EventInvokeConfig")["MaximumRetryAttempts"] == 0


@pytest.mark.parametrize("name", ["SubmitFunction", "ApiFunction"])
def test_a_function_behind_the_api_ends_before_the_api_gives_up(name: str) -> None:
    assert function(name)["Timeout"] < 30


# Feedback


def test_only_the_function_itself_is_there_where_feedback_is_off() -> None:
    parts = {
        name: resource.get("Condition")
        for name, resource in transformed()["Resources"].items()
        if name.startswith("Feedback")
    }
    always = {name for name, condition in parts.items() if condition is None}
    assert always == {"FeedbackFunction", "FeedbackLogs", "FeedbackRole"}
    assert set(parts.values()) == {None, "HasFeedback"}


def test_feedback_is_the_events_of_a_configuration_set() -> None:
    rule = transformed()["Rules"]["Feedback"]

    def allowed(feedback: str, configuration_set: str) -> bool:
        given = resolver(EmailFeedback=feedback, EmailConfigurationSet=configuration_set)
        asserted = all(given.value(one["Assert"]) for one in rule["Assertions"])
        return asserted or not given.value(rule["RuleCondition"])

    assert allowed("off", "")
    assert allowed("on", "main")
    assert not allowed("on", "")


def test_ses_publishes_to_the_default_bus_what_the_rule_lets_through() -> None:
    published = only("AWS::SES::ConfigurationSetEventDestination")
    assert published["ConfigurationSetName"] == {"Ref": "EmailConfigurationSet"}
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
    rule = resolver(EmailConfigurationSet="main").value(only("AWS::Events::Rule"))
    row = accepted(f"{mailbox}@simulator.amazonses.com", tags, configuration_set)
    for rejected in (False, True):
        told = events(row, region="us-east-1", account="123456789012", rejected=rejected)
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


def test_only_the_rule_may_put_events_into_the_queue() -> None:
    (target,) = only("AWS::Events::Rule")["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": ["FeedbackQueue", "Arn"]}
    policy = only("AWS::SQS::QueuePolicy")
    assert policy["Queues"] == [{"Ref": "FeedbackQueue"}]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Resource"] == target["Arn"]
    rule = {"Fn::GetAtt": ["FeedbackRule", "Arn"]}
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": rule}}


def test_the_function_takes_events_in_batches_and_names_those_that_failed() -> None:
    source = only("AWS::Lambda::EventSourceMapping")
    assert source["EventSourceArn"] == {"Fn::GetAtt": ["FeedbackQueue", "Arn"]}
    assert source["FunctionName"] == {"Ref": "FeedbackFunction"}
    assert source["BatchSize"] == 10
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    (taken,) = [one for one in permissions("FeedbackFunction") if actions(one) == QUEUE]
    assert taken["Resource"] == source["EventSourceArn"]


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


# Parameters


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("auto", True),
        ("14", True),
        ("0.5", True),
        ("0", False),
        ("0.0", False),
        ("-1", False),
        ("1e3", False),
        ("", False),
    ],
)
def test_the_rate_of_email_is_auto_or_a_number_above_0(text: str, fits: bool) -> None:
    pattern = transformed()["Parameters"]["EmailMaxPerSecond"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, text)) is fits


def test_every_parameter_is_described_and_in_a_group() -> None:
    template = transformed()
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(template["Parameters"])
    assert all(parameter.get("Description") for parameter in template["Parameters"].values())
