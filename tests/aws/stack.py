"""Dovecote's stack: its build copied, deployed by sam, and asked by the names of its outputs."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.sam.command import SAM
from operate import ROOT
from tests.aws.certificates import Authority
from tests.aws.emulator import Emulator

BUILD = ROOT / ".aws-sam" / "build"
TRUSTED = Path("DovecoteLayer", "python", "dovecote", "store", "rds-ca.pem")
SETTINGS = Path("CatalogLayer", "catalog", "settings.yaml")
DEPLOY_SECONDS = 180


def built_with(authority: Authority, settings: Mapping[str, object], directory: Path) -> Path:
    """Copy what sam has built, with one more authority to trust and with settings in its file."""
    copy = directory / "build"
    shutil.copytree(BUILD, copy)
    with (copy / TRUSTED).open("a") as trusted:
        trusted.write(f"\n{authority.pem}")
    (copy / SETTINGS).write_text(json.dumps(settings))
    return copy


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One stack of the emulator's."""

    name: str
    build: Path
    emulator: Emulator

    def deploy(self, parameters: Mapping[str, object]) -> str:
        """Create or update the stack as a user does, and return its status."""
        given = [f"{name}={value}" for name, value in parameters.items()]
        done = subprocess.run(
            [
                *(str(SAM), "deploy", "--stack-name", self.name, "--no-confirm-changeset"),
                *("--template", str(self.build / "template.yaml")),
                *("--config-file", str(ROOT / "samconfig.toml")),
                *("--parameter-overrides", *given),
            ],
            check=False,
            capture_output=True,
            cwd=self.build.parent,
            env={**self.emulator.environment, "SAM_CLI_TELEMETRY": "0"},
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=DEPLOY_SECONDS,
        )
        log = self.build.with_name("deploy.log")
        with log.open("a") as written:
            written.write(f"{done.stdout}{done.stderr}")
        assert done.returncode == 0, f"sam deploy failed, see {log}: {done.stderr[-2000:]}"
        return self.status()

    def delete(self) -> str:
        """Delete the stack and return its status."""
        client = self.emulator.client("cloudformation")
        # A stack that is gone is found by its id alone.
        identity = self._described()["StackId"]
        client.delete_stack(StackName=identity)
        waiter = client.get_waiter("stack_delete_complete")
        waiter.wait(StackName=identity, WaiterConfig={"Delay": 1, "MaxAttempts": DEPLOY_SECONDS})
        status: str = client.describe_stacks(StackName=identity)["Stacks"][0]["StackStatus"]
        return status

    def status(self) -> str:
        """Return the stack's status in CloudFormation's word."""
        status: str = self._described()["StackStatus"]
        return status

    def output(self, name: str) -> str:
        """Return the value of one output."""
        outputs = {one["OutputKey"]: one["OutputValue"] for one in self._described()["Outputs"]}
        return outputs[name]

    def invoke(self, function: str, event: object) -> Any:
        """Invoke the function that an output names and return its answer."""
        answer = self.emulator.client("lambda").invoke(
            FunctionName=self.output(function), Payload=json.dumps(event).encode()
        )
        payload = json.load(answer["Payload"])
        assert "FunctionError" not in answer, payload
        return payload

    def environment(self, function: str) -> dict[str, str]:
        """Return the environment of the function that an output names, as it is called."""
        client = self.emulator.client("lambda")
        found = client.get_function_configuration(FunctionName=self.output(function))
        variables: dict[str, str] = found["Environment"]["Variables"]
        return variables

    def _described(self) -> dict[str, Any]:
        stacks = self.emulator.client("cloudformation").describe_stacks(StackName=self.name)
        stack: dict[str, Any] = stacks["Stacks"][0]
        return stack
