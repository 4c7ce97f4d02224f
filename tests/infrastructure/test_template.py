"""What the transformed template promises of roles, logs, routes and settings."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from dovecote.settings import Settings, from_environment
from local.intrinsic import Resolver
from local.template import read_template
from tests.infrastructure.transform import TEMPLATE, transformed

FUNCTIONS = ("SubmitFunction", "DispatchFunction", "ApiFunction", "ProvisionFunction")

# Names that are no settings of Dovecote: boto3 and Powertools read them for themselves.
OTHERS = {
    "AWS_ENDPOINT_URL",
    "POWERTOOLS_LOG_LEVEL",
}

# Statements for every resource, each with the reason why none can be named.
WIDE = {
    ("NetworkInterfacePolicy", "AttachToVpc"): "interfaces do not exist before Lambda makes them",
}

ROUTES = {
    "POST /notifications",
    "GET /notifications/{notification_id}",
    "DELETE /notifications/{notification_id}",
    "PUT /users/{user_id}/devices/{device_session_id}",
    "DELETE /users/{user_id}/devices/{device_session_id}",
}

LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
DEVICES = {"sns:SetEndpointAttributes", "sns:DeleteEndpoint"}
ALLOWED = {
    "SubmitFunction": {"rds-db:connect", "ses:SendEmail", "sns:Publish", *LOGS},
    "DispatchFunction": {"rds-db:connect", "ses:SendEmail", "sns:Publish", *LOGS},
    "ApiFunction": {"rds-db:connect", "sns:CreatePlatformEndpoint", *DEVICES, *LOGS},
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


def test_the_functions_are_the_four_of_the_design() -> None:
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
    resolver = Resolver(
        references={"PushTopicArn": "topic", "PushApplicationArns": ",".join(APPLICATIONS)},
        attributes=lambda _resource, attribute: attribute,
        conditions={},
        mappings={},
    )
    published = [
        resolver.value(one["Resource"])
        for one in permissions("DispatchFunction")
        if "sns:Publish" in actions(one)
    ]
    assert published == ["topic", ENDPOINTS]
    assert {
        str(one["Sid"]): resolver.value(one["Resource"])
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
    (api,) = resources("AWS::ApiGatewayV2::Api").values()
    routes = {
        f"{method.upper()} {path}": operation["security"]
        for path, operations in api["Body"]["paths"].items()
        for method, operation in operations.items()
    }
    assert set(routes) == ROUTES
    assert all(security == [{"AWS_IAM": []}] for security in routes.values())


def test_the_access_log_names_no_path_and_no_body() -> None:
    (stage,) = resources("AWS::ApiGatewayV2::Stage").values()
    logged = stage["AccessLogSettings"]["Format"]
    assert "$context.routeKey" in logged
    assert not [name for name in ("$context.path", "body", "sourceIp") if name in logged]


def test_dispatch_runs_every_minute_and_is_not_repeated_by_lambda() -> None:
    (schedule,) = resources("AWS::Scheduler::Schedule").values()
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert schedule["Target"]["Arn"] == {"Fn::GetAtt": ["DispatchFunction", "Arn"]}
    (invoked,) = resources("AWS::Lambda::EventInvokeConfig").values()
    assert invoked["MaximumRetryAttempts"] == 0


@pytest.mark.parametrize("name", ["SubmitFunction", "ApiFunction"])
def test_a_function_behind_the_api_ends_before_the_api_gives_up(name: str) -> None:
    assert function(name)["Timeout"] < 30


def test_every_parameter_is_described_and_in_a_group() -> None:
    template = transformed()
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for group in groups for name in group["Parameters"]]
    assert sorted(grouped) == sorted(template["Parameters"])
    assert all(parameter.get("Description") for parameter in template["Parameters"].values())
