"""What builds and deploys from here."""

from pathlib import Path

import pytest

from operate.checks import machine
from operate.site import Site
from tests.unit.operate.sites import StubbedAws, a_site, lines


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_the_python_that_compiles_the_layer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "find_python", lambda: "/opt/python3.13")
    (line,) = lines(machine.python(a_site(StubbedAws())))
    assert line.startswith("ok  Python 3.")
    assert line.endswith("; /opt/python3.13 compiles the layer")


def test_without_a_3_13_it_says_what_becomes_of_the_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "find_python", lambda: None)
    (line,) = lines(machine.python(a_site(StubbedAws())))
    assert line.startswith("!!  Python 3.")
    assert "no 3.13 on PATH or in pyenv" in line
    assert "ENV=prod refuses — pyenv install 3.13" in line


def test_the_sam_of_make_is_asked_for_its_version(tmp_path: Path) -> None:
    script(tmp_path / ".venv-sam" / "bin" / "sam", "echo SAM CLI, version 1.2.3")
    site = Site(root=tmp_path, environment="dev")
    assert lines(machine.sam(site)) == ["ok  SAM CLI, version 1.2.3"]


def test_a_sam_that_is_not_there_is_installed_by_make(tmp_path: Path) -> None:
    (line,) = lines(machine.sam(Site(root=tmp_path, environment="dev")))
    assert line == "--  aws-sam-cli is not installed yet: make build installs it in .venv-sam"


def test_a_sam_that_fails_is_said_to(tmp_path: Path) -> None:
    script(tmp_path / ".venv-sam" / "bin" / "sam", "exit 3")
    (line,) = lines(machine.sam(Site(root=tmp_path, environment="dev")))
    assert line.startswith("!!  aws-sam-cli does not run: CalledProcessError — rm -r .venv-sam")


def test_the_section_of_the_environment_is_shown(tmp_path: Path) -> None:
    (tmp_path / "samconfig.toml").write_text(
        '[dev.deploy.parameters]\nstack_name = "d"\nregion = "r"\nparameter_overrides = ["A=b"]\n'
    )
    (line,) = lines(machine.samconfig(Site(root=tmp_path, environment="dev")))
    assert line == "ok  samconfig.toml: dev is the stack d in r, with 1 parameters"


def test_without_a_section_nothing_goes_on(tmp_path: Path) -> None:
    (finding,) = machine.samconfig(Site(root=tmp_path, environment="dev"))
    assert finding.is_wrong
    assert finding.stops
    assert "samconfig.toml is missing" in str(finding)


def test_the_authorities_of_the_region_are_there() -> None:
    (line,) = lines(machine.authorities(a_site(StubbedAws())))
    assert line == "ok  rds-ca.pem has the authorities of RDS in eu-central-1"


def test_a_region_that_is_newer_than_the_authorities_is_told_of() -> None:
    newer = StubbedAws()
    newer.region = "ca-west-1"
    (line,) = lines(machine.authorities(a_site(newer)))
    assert line.startswith("!!  rds-ca.pem has no authority of RDS in ca-west-1")
    assert "global-bundle.pem" in line
