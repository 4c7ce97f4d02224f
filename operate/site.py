"""What checks look at: an environment of samconfig.toml, its AWS, and its stack."""

import shlex
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from local.intrinsic import load
from operate import OperatorError, samconfig, trouble
from operate.api import Api
from operate.aws import Aws
from operate.finding import Finding
from operate.samconfig import Section

# Made and never run: `sam deploy` was ended at its question.
NEVER_RUN = "REVIEW_IN_PROGRESS"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A deployed stack, whatever its status."""

    name: str
    status: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]


class Clock:
    """The time of this machine."""

    def now(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)


class Site:
    """One environment, read and reached when something first asks.

    `section` raises OperatorError, what reaches AWS the errors of botocore.
    """

    def __init__(
        self,
        *,
        root: Path,
        environment: str,
        config: Path | None = None,
        reach: Callable[[Section], Aws] = Aws,
        clock: Clock | None = None,
    ) -> None:
        self.root = root
        self.config = config or root / "samconfig.toml"
        self.environment = environment
        self.clock = clock or Clock()
        self._reach = reach

    @cached_property
    def section(self) -> Section:
        """Return what samconfig.toml says."""
        return samconfig.read(self.config, self.environment)

    @cached_property
    def aws(self) -> Aws:
        """Return the AWS of the section's region."""
        return self._reach(self.section)

    @property
    def region(self) -> str:
        """Return the region, by the name that commands are told."""
        return self.aws.region or "…"

    @cached_property
    def stack(self) -> Stack | None:
        """Return the stack, or None before the first deploy."""
        return read_stack(self.client("cloudformation"), self.section.stack_name)

    @cached_property
    def template(self) -> Mapping[str, Any]:
        """Return the template that the next deploy deploys."""
        template: Mapping[str, Any] = load((self.root / "template.yaml").read_text("utf-8"))
        return template

    @cached_property
    def alarms(self) -> Sequence[str]:
        """Return how the names of the stack's alarms end, after the name of the stack."""
        nested = [load(path.read_text("utf-8")) for path in (self.root / "stacks").glob("*.yaml")]
        names = [
            resource["Properties"]["AlarmName"]["Fn::Sub"]
            for template in [self.template, *nested]
            for resource in template["Resources"].values()
            if resource["Type"] == "AWS::CloudWatch::Alarm"
        ]
        return [name.partition("}")[2] for name in names]

    def client(self, service: str) -> Any:
        """Return the client of a service."""
        return self.aws.client(service)

    @property
    def api(self) -> Api:
        """Return the HTTP API; raise OperatorError before the first deploy."""
        url = self.output("ApiUrl")
        if url is None:
            raise OperatorError(f"{self.section.stack_name} is not deployed", self.deploy)
        return Api(url, self.aws.send, self.logs)

    def output(self, name: str) -> str | None:
        """Return an output of the stack; None where it has none of that name."""
        return self.stack.outputs.get(name) if self.stack else None

    def parameter(self, name: str) -> str:
        """Return what a parameter is at the next deploy, in the order of sam deploy.

        What samconfig.toml says, else what the stack has, else the template's default.
        """
        if name in self.section.parameters:
            return self.section.parameters[name]
        deployed = self.stack.parameters if self.stack else {}
        return deployed.get(name, str(self.template["Parameters"].get(name, {}).get("Default", "")))

    @property
    def is_quiet(self) -> bool:
        """Return whether the functions leave out lines of the level INFO, as tallies are."""
        return self.parameter("LogLevel") in {"WARNING", "ERROR", "CRITICAL"}

    def function(self, word: str) -> str:
        """Return the bare name of a function, also where its output is the ARN of an alias."""
        said = self.output(f"{word}FunctionName") or f"{self.section.stack_name}-{word.lower()}"
        return said.split(":")[6] if said.startswith("arn:") else said

    def logged(self, word: str, since: datetime, pattern: str) -> list[Mapping[str, Any]]:
        """Return the log events of a function that match CloudWatch's pattern."""
        pages = self.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(
            logGroupName=f"/aws/lambda/{self.function(word)}",
            startTime=int(since.timestamp() * 1000),
            filterPattern=pattern,
        )
        return [event for page in found for event in page.get("events", [])]

    def logs(self, word: str) -> str:
        """Return the command that shows what a function logged of late."""
        return self.command("logs", "tail", f"/aws/lambda/{self.function(word)}", "--since", "15m")

    def command(self, *words: str) -> str:
        """Return a command of the AWS CLI for this environment, as one types it."""
        profile = ["--profile", self.section.profile] if self.section.profile else []
        return shlex.join(["aws", *words, "--region", self.region, *profile])

    @property
    def deploy(self) -> str:
        """Return the command that deploys this environment."""
        return f"make deploy ENV={self.environment}"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing to look at, and the check without which there is nothing to see."""

    name: str
    look: Callable[[Site], Iterator[Finding]]
    after: str | None = None


CREDENTIALS = "credentials"
STACK = "the stack"
"""The names of the checks that others come after."""


def read_stack(client: Any, name: str) -> Stack | None:
    """Return a stack, or None where it was never deployed.

    CloudFormation answers ValidationError for a stack that is not there, and nothing else is
    invalid about a name that samconfig's reader let through.
    """
    found = trouble.unless_missing(client.describe_stacks, "ValidationError", StackName=name)
    if found is None:
        return None
    (stack,) = found["Stacks"]
    return None if stack["StackStatus"] == NEVER_RUN else _stack(stack)


def _stack(stack: Mapping[str, Any]) -> Stack:
    return Stack(
        name=stack["StackName"],
        status=stack["StackStatus"],
        outputs={row["OutputKey"]: row["OutputValue"] for row in stack.get("Outputs", ())},
        parameters={
            row["ParameterKey"]: row.get("ParameterValue", "")
            for row in stack.get("Parameters", ())
        },
    )
