"""What the transformed template promises of roles, logs, routes and settings."""

import json
import re
from typing import Any

import pytest

from dovecote import channels
from dovecote.aws import events
from dovecote.core.parsing.settings import in_file
from dovecote.wiring.settings import names, shapes
from tests.infrastructure.reading import (
    FUNCTIONS,
    RULE_FUNCTIONS,
    SERVING,
    STACK,
    actions,
    arn,
    function,
    only,
    permissions,
    references,
    resolver,
    resources,
    role_of,
    statements,
)
from tests.infrastructure.transform import transformed
from tests.sending import SERVICES

# Names that are no settings of Dovecote: boto3 and Powertools read them for themselves.
OTHERS = {
    "AWS_ENDPOINT_URL",
    "POWERTOOLS_LOG_LEVEL",
    "POWERTOOLS_SERVICE_NAME",
}

# Statements for every resource, each with the reason why none can be named.
WIDE = {
    ("NetworkInterfacePolicy", "AttachToVpc"): "interfaces do not exist before Lambda makes them",
    ("DispatchRole", "ReadSendingRate"): "the action takes no resource, it is about the account",
    ("OperatorPolicy", "ReadAccount"): "SES, Lambda and CloudWatch are read as a whole",
}

ROUTES = {
    "POST /notifications",
    "POST /notifications/batch",
    "GET /notifications",
    "GET /notifications/{notification_id}",
    "DELETE /notifications/{notification_id}",
    "GET /devices",
    "PUT /devices",
    "DELETE /devices",
    "GET /suppressions",
    "PUT /suppressions",
    "DELETE /suppressions",
    "GET /dead-letters",
    "POST /dead-letters/redrive",
    "POST /dead-letters/{route_id}/redrive",
    "GET /redrives",
    "GET /refused",
    "GET /overview",
    "DELETE /users",
    "DELETE /recipients",
    "GET /openapi.json",
}

LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
DEVICES = {"sns:SetEndpointAttributes", "sns:DeleteEndpoint"}
QUEUE = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
EMAIL = {"ses:SendEmail", "ses:SendBulkEmail", "ses:SendBulkTemplatedEmail"}
SENDING = {*EMAIL, "sns:Publish"}
KEPT = "sqs:SendMessage"  # what came to nothing, by Lambda
INVOKE = "lambda:InvokeFunction"  # dispatch or submit, and nothing else
ALLOWED = {
    "SubmitFunction": {"rds-db:connect", INVOKE, *QUEUE, *SENDING, KEPT, *LOGS},
    "DispatchFunction": {"rds-db:connect", "ses:GetAccount", INVOKE, *SENDING, KEPT, *LOGS},
    "ApiFunction": {"rds-db:connect", INVOKE, "sns:CreatePlatformEndpoint", *DEVICES, *LOGS},
    "FeedbackFunction": {"rds-db:connect", *QUEUE, *LOGS},
    "PurgeFunction": {"rds-db:connect", KEPT, *LOGS},
    "ProvisionFunction": {"rds-db:connect", KEPT, *LOGS},
}

APPLICATIONS = [
    "arn:aws:sns:us-east-1:123456789012:app/APNS/shop",
    "arn:aws:sns:us-east-1:123456789012:app/GCM/shop",
]
ENDPOINTS = [
    "arn:aws:sns:us-east-1:123456789012:endpoint/APNS/shop/*",
    "arn:aws:sns:us-east-1:123456789012:endpoint/GCM/shop/*",
]


def test_the_functions_are_the_six_of_the_design() -> None:
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
    assert group == name.replace("Function", "Logs")
    (logs,) = resolver().value([resources("AWS::Logs::LogGroup")[group]["LogGroupName"]])
    assert resolver().value(written) == arn("logs", f"log-group:{logs}:*")


def test_every_log_group_forgets() -> None:
    groups = resources("AWS::Logs::LogGroup")
    assert groups.keys() == {
        *(name.replace("Function", "Logs") for name in FUNCTIONS),
        "AccessLogs",
        "DatabaseLogs",
    }
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


@pytest.mark.parametrize("function", ["SubmitFunction", "DispatchFunction"])
def test_email_is_sent_from_the_identity_alone(function: str) -> None:
    def senders(identity: str) -> object:
        (statement,) = [one for one in permissions(function) if actions(one) == EMAIL]
        return resolver(EmailIdentity=identity).value(statement["Condition"])

    domain = ["*@example.com", "*@*.example.com"]
    assert senders("example.com") == {"StringLike": {"ses:FromAddress": domain}}
    address = ["shop@example.com"]
    assert senders("shop@example.com") == {"StringLike": {"ses:FromAddress": address}}


@pytest.mark.parametrize("configuration_set", ["", "main"])
def test_email_is_sent_with_the_configuration_set_alone(configuration_set: str) -> None:
    given = resolver(EmailIdentity="example.com", EmailConfigurationSet=configuration_set)
    (statement,) = [one for one in permissions("DispatchFunction") if actions(one) == EMAIL]
    assert given.value(statement["Resource"]) == [
        # The recipients' identities too, which the SES sandbox checks.
        "arn:aws:ses:us-east-1:123456789012:identity/*",
        "arn:aws:ses:us-east-1:123456789012:configuration-set/"
        + (configuration_set or "ConfigurationSet"),
    ]


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


UNREGISTERED = {name.upper() for name in SERVICES if name not in channels.NAMES}
"""How the variables begin of a channel that is in the template alone."""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_environment_has_every_setting_that_is_not_in_the_file(name: str) -> None:
    settings = names() - {name for shape in shapes() for name in in_file(shape)}
    variables = set(function(name)["Environment"]["Variables"])
    # Of people's hashes only submit and api need the key.
    needed = (
        settings if name in ("SubmitFunction", "ApiFunction") else settings - {"PERSON_HASH_KEY"}
    )
    assert {one for one in variables if one.partition("_")[0] not in UNREGISTERED} == (
        needed | OTHERS
    )


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


def test_only_ids_that_dovecote_makes_are_in_paths() -> None:
    """API Gateway decodes a path before it matches a route: any other id could be another path."""
    named = {name for route in ROUTES for name in re.findall(r"{([^}]*)}", route)}
    assert named == {"notification_id", "route_id"}


@pytest.mark.parametrize("name", ["DispatchFunction", "SubmitFunction"])
def test_dispatch_and_submit_run_every_minute_and_are_not_repeated_by_lambda(name: str) -> None:
    schedule, config = scheduled(name)
    assert schedule["State"] == {"Ref": "ScheduleState"}
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert config["MaximumRetryAttempts"] == 0
    assert config["MaximumEventAgeInSeconds"] <= 60


def test_purge_runs_every_hour_at_no_minute_of_its_own_and_whatever_dispatch_does() -> None:
    schedule, config = scheduled("PurgeFunction")
    assert schedule["ScheduleExpression"] == "rate(1 hour)"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 30}
    assert "State" not in schedule
    assert config["MaximumRetryAttempts"] == 0
    # One run is over before the next begins.
    assert function("PurgeFunction")["Timeout"] < 30 * 60


def alias(name: str) -> str:
    """Return the ARN of the alias of a function, by which its callers invoke it."""
    return arn("lambda", f"function:{STACK}-{name}:live")


def scheduled(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schedule of a function, and what becomes of a call of it that failed."""
    (schedule,) = [
        one
        for one in resources("AWS::Scheduler::Schedule").values()
        if one["Target"]["Arn"] == {"Ref": f"{name}Aliaslive"}
    ]
    (config,) = [
        one
        for one in resources("AWS::Lambda::EventInvokeConfig").values()
        if one["FunctionName"] == {"Ref": name}
    ]
    return schedule, config


def test_the_schedule_has_submit_expand_what_is_due() -> None:
    schedule, _ = scheduled("SubmitFunction")
    event = json.loads(schedule["Target"]["Input"])
    assert events.asks_to_expand(event)
    assert events.expansion(event) == events.Expansion(runs=4)


@pytest.mark.parametrize("name", ["ApiFunction", "SubmitFunction"])
def test_submit_is_called_by_the_name_that_the_role_may_call(name: str) -> None:
    given = resolver()
    called = given.value(function(name)["Environment"]["Variables"]["SUBMIT_FUNCTION"])
    (may,) = [one["Resource"] for one in permissions(name) if one["Sid"] == "InvokeSubmit"]
    alias = resources("AWS::Lambda::Alias")["SubmitFunctionAliaslive"]
    assert called == f"{given.value(function('SubmitFunction')['FunctionName'])}:{alias['Name']}"
    assert given.value(may) == f"arn:aws:lambda:us-east-1:123456789012:function:{called}"


@pytest.mark.parametrize("name", ["DispatchFunction", "PurgeFunction", "SubmitFunction"])
def test_a_run_that_the_schedule_could_not_begin_is_kept(name: str) -> None:
    schedule, _ = scheduled(name)
    kept = {"Fn::GetAtt": ["ScheduleDeadLetterQueue", "Arn"]}
    assert schedule["Target"]["DeadLetterConfig"] == {"Arn": kept}
    role = resolver().value(resources("AWS::IAM::Role")["ScheduleRole"])
    may = {one["Sid"]: (one["Action"], one["Resource"]) for one in statements(role)}
    assert may == {
        "InvokeDispatch": ("lambda:InvokeFunction", alias("dispatch")),
        "InvokePurge": ("lambda:InvokeFunction", alias("purge")),
        "InvokeSubmit": ("lambda:InvokeFunction", alias("submit")),
        "KeepFailures": ("sqs:SendMessage", arn("sqs", f"{STACK}-schedule-dead")),
    }
    assert schedule["Target"]["RoleArn"] == {"Fn::GetAtt": ["ScheduleRole", "Arn"]}


@pytest.mark.parametrize(
    "name", ["SubmitFunction", "DispatchFunction", "PurgeFunction", "ProvisionFunction"]
)
def test_an_asynchronous_call_that_failed_is_kept_and_the_role_may(name: str) -> None:
    kept = {"Fn::GetAtt": ["FailedInvocationsQueue", "Arn"]}
    (config,) = [
        one
        for one in resources("AWS::Lambda::EventInvokeConfig").values()
        if one["FunctionName"] == {"Ref": name}
    ]
    assert config["DestinationConfig"] == {"OnFailure": {"Destination": kept}}
    may = [one["Resource"] for one in permissions(name) if actions(one) == {KEPT}]
    assert resolver().value(may) == [arn("sqs", f"{STACK}-failed-invocations")]


@pytest.mark.parametrize("name", [name for name in SERVING if name != "PurgeFunction"])
def test_concurrency_is_reserved_only_where_it_is_asked_for(name: str) -> None:
    reserved = function(name)["ReservedConcurrentExecutions"]
    parameter = name.replace("Function", "ReservedConcurrency")
    given: dict[str, object] = {parameter: 7}
    assert resolver(**given).value([reserved]) == ["7"]
    assert resolver().value([reserved]) == []


def test_the_timeouts_are_fixed() -> None:
    assert {name: function(name)["Timeout"] for name in FUNCTIONS} == {
        "SubmitFunction": 25,
        "ApiFunction": 25,
        "FeedbackFunction": 30,
        "PurgeFunction": 300,
        "DispatchFunction": 90,
        "ProvisionFunction": 600,
    }


@pytest.mark.parametrize("name", ["SubmitFunction", "DispatchFunction"])
def test_dispatch_is_called_by_the_name_that_the_role_may_call(name: str) -> None:
    """Neither is a reference: dispatch calls itself, and would come after itself."""
    given = resolver()
    called = given.value(function(name)["Environment"]["Variables"]["DISPATCH_FUNCTION"])
    (may,) = [one["Resource"] for one in permissions(name) if one["Sid"] == "InvokeDispatch"]
    alias = resources("AWS::Lambda::Alias")["DispatchFunctionAliaslive"]
    assert called == f"{given.value(function('DispatchFunction')['FunctionName'])}:{alias['Name']}"
    assert given.value(may) == f"arn:aws:lambda:us-east-1:123456789012:function:{called}"
    assert not {*references(function(name)["Environment"]), *references(may)} & {
        "DispatchFunction",
        "DispatchFunctionAliaslive",
    }


def test_where_the_schedule_rests_nobody_calls_dispatch() -> None:
    given = resolver(ScheduleState="DISABLED")
    told = function("SubmitFunction")["Environment"]["Variables"]["DISPATCH_FUNCTION"]
    assert given.value(told) == ""


def test_a_producer_may_submit_and_no_more() -> None:
    may = {
        one["Sid"]: one
        for one in statements(resources("AWS::IAM::ManagedPolicy")["ProducerPolicy"])
    }
    assert may.keys() == {"Post", "Send", "Invoke"}
    one, batch = resolver().value(may["Post"]["Resource"])
    assert one.endswith(":HttpApi/*/POST/notifications")
    assert batch == f"{one}/batch"
    assert may["Send"]["Action"] == "sqs:SendMessage"
    assert resolver().value(may["Send"]["Resource"]) == arn("sqs", f"{STACK}-submit")
    assert resolver().value(may["Invoke"]["Resource"]) == alias("submit")


@pytest.mark.parametrize("name", ["SubmitFunction", "ApiFunction"])
def test_a_function_behind_the_api_ends_before_the_api_gives_up(name: str) -> None:
    assert function(name)["Timeout"] < 30


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
        ("", True),
    ],
)
def test_the_rate_of_email_is_empty_auto_or_a_number_above_0(text: str, fits: bool) -> None:
    pattern = transformed()["Parameters"]["EmailMaxPerSecond"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, text)) is fits


def test_every_parameter_is_described_and_in_a_group() -> None:
    template = transformed()
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(template["Parameters"])
    assert all(parameter.get("Description") for parameter in template["Parameters"].values())


def test_rules_use_the_functions_that_are_known_there_alone() -> None:
    """cfn-lint lets others pass, which CloudFormation refuses."""

    def used(value: Any) -> set[str]:
        if not isinstance(value, dict):
            return set().union(*map(used, value)) if isinstance(value, list) else set()
        own = {name for name in value if name == "Ref" or "Fn::" in name}
        return own.union(*map(used, value.values()))

    assert used(list(transformed()["Rules"].values())) <= RULE_FUNCTIONS
