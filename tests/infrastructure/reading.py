"""Read the whole stack: resources, permissions, and what is there for which parameters."""

import re
from collections.abc import Iterator
from typing import Any

from dovecote.catalog import settings_file
from dovecote.wiring.settings import Settings, from_environment
from local.intrinsic import NO_VALUE, Resolver
from tests.infrastructure.transform import ROOT, transformed
from tests.infrastructure.whole import whole

FUNCTIONS = (
    "SubmitFunction",
    "DispatchFunction",
    "ApiFunction",
    "FeedbackFunction",
    "PurgeFunction",
    "ProvisionFunction",
)
SERVING = FUNCTIONS[:-1]
"""Those that are called through an alias, and that come after the schema."""

ACCOUNT = "123456789012"
PROXY_ARN = f"arn:aws:rds:us-east-1:{ACCOUNT}:db-proxy:prx-0123"
STACK = "dovecote-test"


def shipped_settings() -> Settings:
    """Return the settings of functions that are given no parameter, with those of the file."""
    catalog = ROOT / "layers" / "catalog" / "catalog"
    return from_environment({"DATABASE_URL": "postgresql://"}, settings_file.load(catalog))


def resources(kind: str) -> dict[str, dict[str, Any]]:
    return {
        name: resource["Properties"]
        for name, resource in whole()["Resources"].items()
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


def arn(service: str, name: str) -> str:
    """Return the ARN of what a service calls by a name that begins with the stack's."""
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{name}"


def references(value: Any, given: Resolver | None = None) -> Iterator[str]:
    """Yield what a value refers to: for given parameters, or whatever they are."""
    if isinstance(value, dict):
        if "Ref" in value:
            yield value["Ref"]
        if "Fn::GetAtt" in value:
            yield value["Fn::GetAtt"][0]
        if isinstance(text := value.get("Fn::Sub"), str):
            yield from (name.split(".")[0] for name in re.findall(r"\$\{([^}!]+)\}", text))
        if given and "Fn::If" in value:
            condition, then, otherwise = value["Fn::If"]
            value = {"": then if given.condition(condition) else otherwise}
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from references(part, given)


def permissions(name: str) -> list[dict[str, Any]]:
    """Return the statements that a function has: its role's own and those of shared policies."""
    role = resources("AWS::IAM::Role")[role_of(name)]
    shared = resources("AWS::IAM::ManagedPolicy")
    attached = [shared[one] for one in references(role["ManagedPolicyArns"]) if one in shared]
    return [*statements(role["Policies"]), *statements(attached)]


def actions(statement: dict[str, Any]) -> set[str]:
    action = statement["Action"]
    return {action} if isinstance(action, str) else set(action)


def only(kind: str) -> dict[str, Any]:
    (properties,) = resources(kind).values()
    return properties


def resolver(**parameters: Any) -> Resolver:
    """Return what resolves the template's values for parameters; a resource goes by its name."""
    template = whole()
    declared = {name: str(one.get("Default")) for name, one in template["Parameters"].items()}
    lists = {name for name, one in template["Parameters"].items() if "List" in one["Type"]}
    values = {name: str(value) for name, value in {**declared, **parameters}.items()}
    return Resolver(
        references={
            **{name: name for name in template["Resources"]},
            **{name: values[name].split(",") if name in lists else values[name] for name in values},
            "AWS::AccountId": ACCOUNT,
            "AWS::NoValue": NO_VALUE,
            "AWS::Partition": "aws",
            "AWS::Region": "us-east-1",
            "AWS::StackId": "stack-id",
            "AWS::StackName": STACK,
        },
        # An attribute goes by its name; this one is taken apart.
        attributes=lambda resource, attribute: (
            PROXY_ARN if attribute == "DBProxyArn" else f"{resource}.{attribute}"
        ),
        conditions=template["Conditions"],
        mappings={},
    )


def present(**parameters: Any) -> set[str]:
    """Return the resources that there are for parameters."""
    given = resolver(**parameters)
    return {
        name
        for name, resource in whole()["Resources"].items()
        if "Condition" not in resource or given.condition(resource["Condition"])
    }


RULE_FUNCTIONS = {"Fn::And", "Fn::EachMemberEquals", "Fn::Equals", "Fn::Not", "Fn::Or", "Ref"}
"""Of those that CloudFormation knows within Rules, which are fewer than elsewhere."""


def allowed(**parameters: Any) -> bool:
    """Tell whether the template's rules let parameters through."""
    given = resolver(**parameters)
    given._functions["Fn::EachMemberEquals"] = lambda pair: all(
        one == pair[1] for one in given.value(pair[0])
    )
    return all(
        given.value(assertion["Assert"])
        for rule in transformed()["Rules"].values()
        if given.value(rule.get("RuleCondition", {"Fn::Equals": ["", ""]}))
        for assertion in rule["Assertions"]
    )
