"""What the transformed template promises of the database, the network round it and the key."""

from typing import Any

import pytest

from local.postgres import QUIET
from tests.infrastructure.reading import (
    FUNCTIONS,
    SERVING,
    actions,
    allowed,
    function,
    only,
    permissions,
    present,
    references,
    resolver,
    resources,
    statements,
)
from tests.infrastructure.transform import source, transformed
from tests.infrastructure.whole import NESTED, whole

EMAIL = {"EmailIdentity": "example.com"}
PUSH = {"PushTopicArn": "arn:aws:sns:us-east-1:123456789012:push"}
OWN_HOST = {**EMAIL, "DbHost": "db.example.com", "DbResourceId": "cluster-ABC"}
OWN_SUBNETS = {"SubnetIds": "subnet-1,subnet-2"}
OWN_VPC = {**EMAIL, **OWN_SUBNETS, "VpcId": "vpc-1"}

NETWORK = {"Vpc", "SubnetA", "SubnetB", "RouteTable", "RouteTableOfA", "RouteTableOfB"}
ENDPOINTS = {"S3Endpoint", "LambdaEndpoint", "EndpointSecurityGroup"}
CLUSTER = {
    "FunctionSecurityGroup",
    "FunctionToDatabase",
    "DatabaseSecurityGroup",
    "DatabaseSubnets",
    "DatabaseParameters",
    "DatabaseLogs",
    "DatabaseCluster",
    "DatabaseWriter",
}
PROXY = {
    "DatabaseProxy",
    "DatabaseProxyTargets",
    "DatabaseFromProxy",
    "ProxyToDatabase",
    "ProxyRole",
}
KINDS = ("AWS::EC2::", "AWS::RDS::")


def laid(**parameters: Any) -> set[str]:
    """Return the parts of network and database that there are for parameters."""
    parts = whole()["Resources"]
    beside = {"DatabaseLogs", "ProxyRole"}
    return {
        name
        for name in present(**parameters)
        if name in beside or parts[name]["Type"].startswith(KINDS)
    }


@pytest.mark.parametrize(
    ("parameters", "parts"),
    [
        # A new cluster in a new VPC, with endpoints for what is sent.
        (EMAIL, NETWORK | ENDPOINTS | {"SesEndpoint"} | CLUSTER),
        (PUSH, NETWORK | ENDPOINTS | {"SnsEndpoint"} | CLUSTER),
        # With something to fail over to.
        (
            {**EMAIL, "Zones": 2},
            NETWORK | ENDPOINTS | {"SesEndpoint"} | CLUSTER | {"DatabaseStandby"},
        ),
        # Behind a proxy.
        ({**EMAIL, "DbProxy": "on"}, NETWORK | ENDPOINTS | {"SesEndpoint"} | CLUSTER | PROXY),
        # A new cluster in one's own VPC, which has its own ways.
        (OWN_VPC, CLUSTER),
        ({**OWN_VPC, "DbProxy": "on", "Zones": 2}, CLUSTER | PROXY | {"DatabaseStandby"}),
        # One's own host, in a VPC or not.
        (OWN_HOST, set()),
        ({**OWN_HOST, **OWN_SUBNETS, "SecurityGroupIds": "sg-1"}, set()),
    ],
)
def test_what_is_not_yours_is_made(parameters: dict[str, Any], parts: set[str]) -> None:
    assert allowed(**parameters)
    assert laid(**parameters) == parts


@pytest.mark.parametrize(
    "parameters",
    [
        {},  # nothing to deliver with
        {**EMAIL, "DbHost": "db.example.com"},
        {**EMAIL, "DbResourceId": "cluster-ABC"},
        {**OWN_HOST, "DbProxy": "on"},
        {**OWN_HOST, "VpcId": "vpc-1"},
        {**OWN_HOST, **OWN_SUBNETS},
        {**OWN_HOST, "SecurityGroupIds": "sg-1"},
        {**EMAIL, **OWN_SUBNETS},
        {**EMAIL, "VpcId": "vpc-1"},
        {**EMAIL, "SecurityGroupIds": "sg-1"},
        {**OWN_VPC, "SecurityGroupIds": "sg-1"},
    ],
)
def test_parameters_that_do_not_go_together_are_refused(parameters: dict[str, Any]) -> None:
    assert not allowed(**parameters)


@pytest.mark.parametrize(
    ("parameters", "subnets", "groups"),
    [
        (EMAIL, ["SubnetA"], ["FunctionSecurityGroup"]),
        ({**EMAIL, "Zones": 2}, ["SubnetA", "SubnetB"], ["FunctionSecurityGroup"]),
        (OWN_VPC, ["subnet-1", "subnet-2"], ["FunctionSecurityGroup"]),
        (
            {**OWN_HOST, **OWN_SUBNETS, "SecurityGroupIds": "sg-1"},
            ["subnet-1", "subnet-2"],
            ["sg-1"],
        ),
    ],
)
def test_functions_are_where_the_database_is(
    parameters: dict[str, Any], subnets: list[str], groups: list[str]
) -> None:
    for name in FUNCTIONS:
        placed = resolver(**parameters).value(function(name)["VpcConfig"])
        assert placed == {"SubnetIds": subnets, "SecurityGroupIds": groups}


def test_functions_with_a_host_alone_are_in_no_vpc() -> None:
    given = resolver(**OWN_HOST)
    assert given.value([function(name)["VpcConfig"] for name in FUNCTIONS]) == []


# Who connects


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(
    ("parameters", "host", "database"),
    [
        (EMAIL, "DatabaseCluster.Endpoint.Address", "DatabaseCluster.DBClusterResourceId"),
        (OWN_HOST, "db.example.com", "cluster-ABC"),
    ],
)
def test_a_function_connects_as_its_own_user_alone(
    name: str, parameters: dict[str, str], host: str, database: str
) -> None:
    given = resolver(**parameters, DbUser="dove")
    user = {"ProvisionFunction": "dove"}.get(name, f"dove_{name[: -len('Function')].lower()}")
    told = given.value(function(name)["Environment"])["Variables"]
    assert (told["DB_HOST"], told["DB_USER"]) == (host, user)
    (may,) = [one for one in permissions(name) if actions(one) == {"rds-db:connect"}]
    assert given.value(may["Resource"]) == (
        f"arn:aws:rds-db:us-east-1:123456789012:dbuser:{database}/{user}"
    )


def test_functions_go_through_the_proxy_and_provision_past_it() -> None:
    given = resolver(**EMAIL, DbProxy="on")
    hosts = {
        name: given.value(function(name)["Environment"])["Variables"]["DB_HOST"]
        for name in FUNCTIONS
    }
    assert hosts.pop("ProvisionFunction") == "DatabaseCluster.Endpoint.Address"
    assert set(hosts.values()) == {"DatabaseProxy.Endpoint"}
    (may,) = [one for one in permissions("SubmitFunction") if actions(one) == {"rds-db:connect"}]
    assert given.value(may["Resource"]).endswith(":dbuser:prx-0123/dovecote_submit")


def test_the_proxy_connects_as_the_functions_users_without_a_secret() -> None:
    proxy = only("AWS::RDS::DBProxy")
    assert proxy["DefaultAuthScheme"] == "IAM_AUTH"
    assert proxy["RequireTLS"] is True
    (statement,) = statements(resources("AWS::IAM::Role")["ProxyRole"]["Policies"])
    assert resolver(**EMAIL, DbProxy="on").value(statement["Resource"]).endswith("/dovecote_*")


def test_nothing_has_a_password() -> None:
    cluster = only("AWS::RDS::DBCluster")
    assert cluster["MasterUserAuthenticationType"] == "iam-db-auth"
    assert cluster["EnableIAMDatabaseAuthentication"] is True
    text = str(whole())
    assert "MasterUserPassword" not in text
    assert "secretsmanager:GetSecretValue" not in text


def test_the_key_of_hashes_outlives_the_stack() -> None:
    secret = whole()["Resources"]["PersonHashKey"]
    assert secret["DeletionPolicy"] == "RetainExceptOnCreate"
    assert secret["UpdateReplacePolicy"] == "Retain"
    assert secret["Properties"]["GenerateSecretString"]["PasswordLength"] == 64


@pytest.mark.parametrize(
    ("arn", "secret"),
    [("", "PersonHashKey"), ("arn:aws:secretsmanager:a:1:secret:b",) * 2],
    ids=["new", "existing"],
)
def test_only_submit_and_api_have_the_key_of_hashes(arn: str, secret: str) -> None:
    given = {
        name: resolver(PersonHashKeyArn=arn).value(one["Environment"])["Variables"]
        for name, one in resources("AWS::Lambda::Function").items()
    }
    keys = {name: own["PERSON_HASH_KEY"] for name, own in given.items() if "PERSON_HASH_KEY" in own}
    assert keys == dict.fromkeys(
        ("SubmitFunction", "ApiFunction"), f"{{{{resolve:secretsmanager:{secret}}}}}"
    )


# The cluster


def test_the_cluster_is_encrypted_and_kept() -> None:
    cluster = only("AWS::RDS::DBCluster")
    assert cluster["StorageEncrypted"] is True
    assert cluster["KmsKeyId"] == {"Fn::GetAtt": ["Key", "Arn"]}
    protected = resolver(DbDeletionProtection="on").value(cluster["DeletionProtection"])
    assert (protected, resolver().value(cluster["DeletionProtection"])) == (True, False)


def test_the_log_of_the_database_holds_no_row_no_statement_and_no_value() -> None:
    """tests/integration/local/test_postgres.py has what PostgreSQL logs under these parameters."""
    parameters = only("AWS::RDS::DBClusterParameterGroup")["Parameters"]
    assert parameters == {
        "rds.force_ssl": "1",
        "log_error_verbosity": "terse",
        "log_min_error_statement": "panic",
        "log_min_messages": "log",
        "log_statement": "none",
        "log_min_duration_statement": "-1",
    }


def test_the_local_database_logs_as_the_cluster_does() -> None:
    parameters = only("AWS::RDS::DBClusterParameterGroup")["Parameters"]
    assert {name: one for name, one in parameters.items() if name.startswith("log_")} == QUIET


@pytest.mark.parametrize(("least", "seconds"), [(0, 300), (0.5, None)])
def test_a_cluster_pauses_only_where_it_may_have_no_capacity(
    least: float, seconds: int | None
) -> None:
    scaling = only("AWS::RDS::DBCluster")["ServerlessV2ScalingConfiguration"]
    given = resolver(DbMinCapacity=least).value(scaling)
    assert given.get("SecondsUntilAutoPause") == seconds


@pytest.mark.parametrize("version", ["17", "18"])
def test_the_parameters_are_of_the_clusters_version(version: str) -> None:
    family = only("AWS::RDS::DBClusterParameterGroup")["Family"]
    given = resolver(DbEngineVersion=version)
    assert given.value(family) == f"aurora-postgresql{version}"
    assert given.value(only("AWS::RDS::DBCluster")["EngineVersion"]) == version


# Where the stack goes, and where an update replaces it. A first deployment that fails and is tried
# again meets nothing of its own.
KEPT = {
    "AWS::RDS::DBCluster": ("Snapshot", "Snapshot"),
    "AWS::KMS::Key": ("RetainExceptOnCreate", "Retain"),
    "AWS::SES::EmailIdentity": ("RetainExceptOnCreate", "Retain"),
    "AWS::RDS::DBInstance": ("Delete", "Delete"),
    "AWS::Logs::LogGroup": ("Delete", "Delete"),
    "AWS::SQS::Queue": ("Delete", "Delete"),
}


@pytest.mark.parametrize("kind", KEPT)
def test_what_holds_data_says_what_becomes_of_it(kind: str) -> None:
    of_kind = [one for one in whole()["Resources"].values() if one["Type"] == kind]
    assert of_kind
    for resource in of_kind:
        policies = (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        assert policies == KEPT[kind]


# The network


def test_nothing_is_reached_from_outside() -> None:
    inside = [
        rule
        for group in resources("AWS::EC2::SecurityGroup").values()
        for rule in group.get("SecurityGroupIngress", [])
    ] + list(resources("AWS::EC2::SecurityGroupIngress").values())
    assert inside
    assert all("SourceSecurityGroupId" in rule and "CidrIp" not in rule for rule in inside)
    assert not resources("AWS::EC2::InternetGateway")
    assert not resources("AWS::EC2::NatGateway")
    instances = resources("AWS::RDS::DBInstance").values()
    assert {one["PubliclyAccessible"] for one in instances} == {False}


def test_every_group_says_where_it_calls() -> None:
    """Without a rule CloudFormation lets a group call everything."""
    calls = {
        name: [(rule["IpProtocol"], rule.get("ToPort"), rule["CidrIp"]) for rule in one]
        for name, one in (
            (name, group["SecurityGroupEgress"])
            for name, group in resources("AWS::EC2::SecurityGroup").items()
        )
    }
    nowhere = [("-1", None, "127.0.0.1/32")]
    assert calls == {
        "FunctionSecurityGroup": [("tcp", 443, "0.0.0.0/0")],
        "EndpointSecurityGroup": nowhere,
        "DatabaseSecurityGroup": nowhere,
    }
    database = {"Ref": "DatabaseSecurityGroup"}
    further = resources("AWS::EC2::SecurityGroupEgress")
    assert {one["DestinationSecurityGroupId"]["Ref"] for one in further.values()} == {
        database["Ref"]
    }
    assert all(one["ToPort"] == {"Ref": "DbPort"} for one in further.values())


@pytest.mark.parametrize("name", ["SesEndpoint", "SnsEndpoint", "LambdaEndpoint"])
def test_an_endpoint_lets_the_own_account_pass_alone(name: str) -> None:
    endpoint = resources("AWS::EC2::VPCEndpoint")[name]
    assert endpoint["PrivateDnsEnabled"] is True
    (statement,) = endpoint["PolicyDocument"]["Statement"]
    own = {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}}
    assert statement["Condition"] == own


def test_s3_is_for_answers_to_cloudformation_alone() -> None:
    (statement,) = resources("AWS::EC2::VPCEndpoint")["S3Endpoint"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == "s3:PutObject"
    bucket = resolver().value(statement["Resource"])
    assert bucket == "arn:aws:s3:::cloudformation-custom-resource-response-*"


# The key


def test_the_key_is_for_the_account_its_logs_and_its_alarms() -> None:
    key = only("AWS::KMS::Key")
    assert key["EnableKeyRotation"] is True
    account, logs, alarms = key["KeyPolicy"]["Statement"]
    assert resolver().value(account["Principal"]) == {"AWS": "arn:aws:iam::123456789012:root"}
    assert resolver().value(logs["Principal"]) == {"Service": "logs.us-east-1.amazonaws.com"}
    (own,) = resolver().value(logs["Condition"])["ArnLike"].values()
    assert own == "arn:aws:logs:us-east-1:123456789012:log-group:/aws/*/dovecote-test*"
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert not [one for one in (logs, alarms) if "kms:*" in one["Action"]]


def test_logs_and_alarms_are_encrypted_with_it() -> None:
    logs = [one["KmsKeyId"] for one in resources("AWS::Logs::LogGroup").values()]
    assert logs == [{"Fn::GetAtt": ["Key", "Arn"]}] * len(logs)
    assert resources("AWS::SNS::Topic")["AlarmTopic"]["KmsMasterKeyId"] == {"Ref": "Key"}


# provision


def test_provision_is_asked_again_for_a_new_layer() -> None:
    (layer,) = [name for name in transformed()["Resources"] if name.startswith("DovecoteLayer")]
    schema = only("Custom::Schema")
    assert schema["ServiceToken"] == {"Fn::GetAtt": ["ProvisionFunction", "Arn"]}
    assert schema["Code"] == {"Ref": layer}


def test_cloudformation_waits_a_little_longer_than_provision_runs() -> None:
    timeout = int(function("ProvisionFunction")["Timeout"])
    assert timeout < int(only("Custom::Schema")["ServiceTimeout"]) <= timeout + 120


def test_every_other_function_comes_after_the_schema() -> None:
    after = {name: transformed()["Resources"][name].get("DependsOn") for name in FUNCTIONS}
    assert after.pop("ProvisionFunction") is None
    assert after == dict.fromkeys(SERVING, "Schema")


@pytest.mark.parametrize("stack", ["Network", "Database"])
def test_provision_has_its_ways_for_as_long_as_it_is_asked(stack: str) -> None:
    """A stack goes only after what refers to its outputs: the schema, then the function."""
    parts = source()["Resources"]
    for name in ("Schema", "ProvisionFunction"):
        named = set(references(parts[name]["Properties"]))
        assert stack in named | set(references(source()["Globals"]["Function"])), name
    assert stack in set(references(parts["Schema"]["Properties"]["Settings"]))
    assert stack in NESTED


def test_the_schema_names_the_users_of_the_functions() -> None:
    schema = resolver().value(only("Custom::Schema"))
    assert schema["Users"] == {
        name: f"dovecote_{name.lower()}"
        for name in ("Submit", "Dispatch", "Api", "Feedback", "Purge", "Producer")
    }


LAID = (
    EMAIL,
    {**PUSH, "Zones": 2},
    {**EMAIL, "DbProxy": "on"},
    OWN_VPC,
    OWN_HOST,
    {**OWN_HOST, "EmailFeedback": "off"},
    {"PushApplicationArns": "arn:aws:sns:us-east-1:123456789012:app/GCM/shop"},
)


@pytest.mark.parametrize("parameters", LAID)
def test_nothing_refers_to_what_is_not_there(parameters: dict[str, Any]) -> None:
    known = whole()["Resources"]
    there, given = present(**parameters), resolver(**parameters)
    for name in there:
        named = set(references(known[name]["Properties"], given)) & known.keys()
        assert named <= there, name
