"""A change reaches the functions, bit by bit where that is asked for; samconfig.toml says where."""

import copy
import re
import shlex
import tomllib
from typing import Any

import pytest

from tests.infrastructure.reading import SERVING, allowed, function, only, resolver, resources
from tests.infrastructure.transform import TEMPLATE, source, transform, transformed

OWN_SUBNETS = {"SubnetIds": "subnet-1,subnet-2", "SecurityGroupIds": "sg-1"}
OWN_HOST = {"DbHost": "db.example.com", "DbResourceId": "cluster-ABC"}
OWN_VPC = {"SubnetIds": "subnet-1,subnet-2", "VpcId": "vpc-1"}

CONFIG = tomllib.loads((TEMPLATE.parent / "samconfig.toml").read_text())
DEPLOYED = ("default", "dev", "staging", "prod")
GRADUAL = [name for name in source()["Mappings"]["Deployments"] if name != "AllAtOnce"]


def versions(template: dict[str, Any]) -> dict[str, str]:
    """Return the version that each function publishes: a new one where its name is a new one."""
    return {
        re.sub("Version[0-9a-f]{10}$", "", name): name
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Version"
    }


@pytest.mark.parametrize("layer", ["DovecoteLayer", "CatalogLayer"])
def test_a_change_of_a_layer_alone_publishes_each_function_anew(layer: str) -> None:
    changed = copy.deepcopy(source())
    changed["Resources"][layer]["Properties"]["ContentUri"] = "s3://artifacts/another"
    before, after = versions(transformed()), versions(transform(changed))
    assert before.keys() == after.keys() == set(SERVING)
    assert not [name for name in SERVING if before[name] == after[name]]


@pytest.mark.parametrize("layer", ["DovecoteLayer", "CatalogLayer"])
def test_a_change_of_a_layer_alone_provisions_anew(layer: str) -> None:
    """The one may bring migrations, the other a catalog that cannot be read."""
    changed = copy.deepcopy(source())
    changed["Resources"][layer]["Properties"]["ContentUri"] = "s3://artifacts/another"
    assert transform(changed)["Resources"]["Schema"] != transformed()["Resources"]["Schema"]


def test_a_change_of_a_parameter_alone_publishes_each_function_anew() -> None:
    """SAM names a version by what is written in the template, which a parameter's value is not."""
    assert versions(transformed()) == versions(transformed(LogLevel="DEBUG"))
    published = resources("AWS::Lambda::Version").values()
    digest = {"Fn::GetAtt": ["Schema", "Settings"]}
    assert [one["Description"] for one in published] == [digest] * len(SERVING)


@pytest.mark.parametrize("name", SERVING)
def test_the_digest_is_of_all_that_parameters_decide_of_a_function(name: str) -> None:
    """And of nothing else: a version of an unchanged function cannot be published again."""
    own = function(name)
    told = own["Environment"]["Variables"]
    decided = [value for value in told.values() if isinstance(value, dict)]
    # Of the user only the beginning is a parameter, and the stack's name stays. The key of hashes
    # never changes, and only two functions have it.
    constant = (told["DB_USER"], {"Ref": "AWS::StackName"}, told.get("PERSON_HASH_KEY"))
    decided = [one for one in decided if one not in constant]
    settings = only("Custom::Schema")["Settings"]
    assert [one for one in decided if one not in settings] == []
    beside = [one for one in settings if one not in decided]
    assert beside[:2] == [{"Ref": "DbUser"}, own["Architectures"][0]]
    for parameters in ({}, OWN_VPC, OWN_HOST, {**OWN_HOST, **OWN_SUBNETS}):
        given = resolver(**parameters)
        (placed,) = given.value([own["VpcConfig"]]) or [{}]
        subnets = ",".join(placed.get("SubnetIds", []))
        groups = ",".join(placed.get("SecurityGroupIds", []))
        assert given.value(beside[2:]) == [subnets, groups]


def test_nothing_changed_publishes_nothing() -> None:
    assert versions(transform(source())) == versions(transformed())


def test_calls_go_to_what_was_published() -> None:
    aliases = resources("AWS::Lambda::Alias")
    assert aliases.keys() == {f"{name}Aliaslive" for name in SERVING}
    assert {one["Name"] for one in aliases.values()} == {"live"}
    integrations = [
        operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
        for api in resources("AWS::ApiGatewayV2::Api").values()
        for operations in api["Body"]["paths"].values()
        for operation in operations.values()
    ]
    assert integrations
    assert all("Aliaslive}/invocations" in uri for uri in integrations)


@pytest.mark.parametrize("deployment", GRADUAL)
def test_a_gradual_deployment_goes_back_where_a_function_errs(deployment: str) -> None:
    parts = transformed(Deployment=deployment)["Resources"]
    for name in SERVING:
        policy = parts[f"{name}Aliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        group = parts[policy["DeploymentGroupName"]["Ref"]]["Properties"]
        alarm = name.replace("Function", "ErrorsAlarm")
        assert group["AlarmConfiguration"] == {
            "Enabled": True,
            "Alarms": [{"Name": {"Ref": alarm}}],
        }
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        assert group["ServiceRoleArn"] == {"Fn::GetAtt": ["Roles", "Outputs.CodeDeployRole"]}


def test_without_one_there_is_no_codedeploy() -> None:
    parts = transformed()["Resources"].values()
    assert not [one for one in parts if one["Type"].startswith("AWS::CodeDeploy::")]


# samconfig.toml


def overrides(environment: str) -> dict[str, str]:
    """Return the parameters of an environment, as sam splits them."""
    given = CONFIG[environment]["deploy"]["parameters"].get("parameter_overrides", [])
    pairs = [word.partition("=") for line in given for word in shlex.split(line)]
    return {name: value for name, _, value in pairs}


def fits(declared: dict[str, Any], value: str) -> bool:
    """Tell whether CloudFormation takes a value of a parameter."""
    if "AllowedValues" in declared:
        return value in map(str, declared["AllowedValues"])
    if declared["Type"] == "Number":
        least, most = declared.get("MinValue", 0), declared.get("MaxValue", float("inf"))
        return bool(least <= float(value) <= most)
    return re.fullmatch(declared.get("AllowedPattern", ".*"), value) is not None


def test_there_are_the_environments() -> None:
    assert CONFIG.keys() == {"version", *DEPLOYED, "local"}


@pytest.mark.parametrize("environment", DEPLOYED)
def test_an_environment_has_a_stack_of_its_own_and_what_sam_needs(environment: str) -> None:
    names = [CONFIG[one]["global"]["parameters"]["stack_name"] for one in DEPLOYED]
    assert len(set(names)) == len(DEPLOYED)
    deploy = CONFIG[environment]["deploy"]["parameters"]
    # Roles of their own, and the stacks within the stack.
    assert deploy["capabilities"].split() == ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    assert deploy["resolve_s3"] is True
    # A shell's region would put a stack where nobody looks for it.
    assert CONFIG[environment]["global"]["parameters"]["region"]
    # sam's cache knows neither the Python that compiled a layer nor the machine it is for.
    assert "build" not in CONFIG[environment]


@pytest.mark.parametrize("environment", DEPLOYED[1:])
def test_an_environments_parameters_are_the_templates_and_go_together(environment: str) -> None:
    declared = source()["Parameters"]
    given = overrides(environment)
    assert given.keys() <= declared.keys()
    assert not [name for name, value in given.items() if not fits(declared[name], value)]
    assert allowed(**given)


def test_a_first_deployment_sets_three_values() -> None:
    mine = {name for name, value in overrides("dev").items() if "example" in value}
    assert mine == {"EmailIdentity", "EmailFrom", "AlarmEmail"}


@pytest.mark.parametrize("environment", ["dev", "staging"])
def test_outside_production_nobody_else_is_mailed(environment: str) -> None:
    assert overrides(environment)["EmailAllow"]


def test_production_is_protected_and_deployed_bit_by_bit() -> None:
    given = overrides("prod")
    assert given["Deployment"] in GRADUAL
    assert given["Deployment"].startswith("Canary")
    assert (given["DbDeletionProtection"], given["Zones"]) == ("on", "2")
    assert given["AlarmEmail"]
    assert "EmailAllow" not in given
    assert CONFIG["prod"]["deploy"]["parameters"]["confirm_changeset"] is True
