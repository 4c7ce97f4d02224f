"""samconfig.toml, read as sam deploy reads it."""

from pathlib import Path

import pytest

from operate import ROOT, OperatorError, samconfig

DEV = """\
[dev.global.parameters]
stack_name = "dovecote-dev"
region = "us-east-1"
[dev.deploy.parameters]
region = "eu-central-1"
profile = "shop-dev"
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "samconfig.toml"
    path.write_text(text)
    return path


def parameters(tmp_path: Path, overrides: str) -> dict[str, str]:
    text = f"{DEV}parameter_overrides = {overrides}\n"
    return dict(samconfig.read(written(tmp_path, text), "dev").parameters)


def refused(tmp_path: Path, text: str, environment: str = "dev") -> str:
    with pytest.raises(OperatorError) as caught:
        samconfig.read(written(tmp_path, text), environment)
    assert caught.value.remedy
    return str(caught.value)


def test_the_table_of_deploy_goes_over_the_global_one(tmp_path: Path) -> None:
    section = samconfig.read(written(tmp_path, DEV), "dev")
    assert (section.stack_name, section.region) == ("dovecote-dev", "eu-central-1")
    assert (section.profile, section.parameters) == ("shop-dev", {})


@pytest.mark.parametrize(
    ("overrides", "read"),
    [
        ('["DbPort=5432", "EmailIdentity=example.com"]',
         {"DbPort": "5432", "EmailIdentity": "example.com"}),
        ('"DbPort=5432 EmailIdentity=example.com"',
         {"DbPort": "5432", "EmailIdentity": "example.com"}),
        # as sam deploy --guided writes it
        (r'"DbPort=\"5432\" EmailFrom=\"Shop <shop@example.com>\""',
         {"DbPort": "5432", "EmailFrom": "Shop <shop@example.com>"}),
        ('"ParameterKey=DbPort,ParameterValue=5432 ParameterKey=DbName,ParameterValue=d"',
         {"DbPort": "5432", "DbName": "d"}),
        # what a value may hold
        ('["SubnetIds=subnet-1,subnet-2", "EmailAllow=a=b"]',
         {"SubnetIds": "subnet-1,subnet-2", "EmailAllow": "a=b"}),
        ('["EmailFrom="]', {"EmailFrom": ""}),
        # a table, which sam takes as well
        ('{DbPort = 5432, SubnetIds = ["subnet-1", "subnet-2"]}',
         {"DbPort": "5432", "SubnetIds": "subnet-1,subnet-2"}),
        ('""', {}),
        ("[]", {}),
    ],
)  # fmt: skip
def test_parameters_are_read_in_every_form_that_sam_takes(
    tmp_path: Path, overrides: str, read: dict[str, str]
) -> None:
    assert parameters(tmp_path, overrides) == read


def test_a_value_that_sam_would_cut_at_a_blank_is_refused(tmp_path: Path) -> None:
    said = refused(tmp_path, f'{DEV}parameter_overrides = ["EmailFrom=Shop <a@example.com>"]\n')
    assert "'<a@example.com>' has no name" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "samconfig.toml has no section [dev.…]"),
        ("version = 0.1\n[prod.deploy.parameters]\n", "no section [dev.…]"),
        ("[dev", "cannot be read"),
        ("[dev.deploy.parameters]\n", "names no stack_name for dev"),
        ('[dev.deploy.parameters]\nstack_name = 7\nregion = "a"\n', "names no stack_name"),
        ('[dev.deploy.parameters]\nstack_name = "a_b"\nregion = "a"\n', "not the name of a stack"),
        (f'{DEV}parameter_overrides = "A=\'b"\n', "No closing quotation"),
    ],
)
def test_what_is_missing_or_wrong_is_said(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, text)


def test_the_sections_that_are_there_are_offered(tmp_path: Path) -> None:
    path = written(tmp_path, "version = 0.1\n[default.x]\n[prod.x]\n")
    with pytest.raises(OperatorError) as caught:
        samconfig.read(path, "dev")
    assert "it has (default, prod)" in caught.value.remedy


def test_without_a_region_it_is_that_of_the_environment(tmp_path: Path) -> None:
    section = samconfig.read(
        written(tmp_path, '[dev.global.parameters]\nstack_name = "a"\n'), "dev"
    )
    assert section.region is None


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_the_sections_of_this_checkout_can_be_read(environment: str) -> None:
    section = samconfig.read(ROOT / "samconfig.toml", environment)
    assert section.stack_name == f"dovecote-{environment}"
    assert section.parameters["EmailIdentity"]


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="is missing"):
        samconfig.read(tmp_path / "samconfig.toml", "dev")
