"""The stack as CloudFormation has it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from operate import trouble

# Made and never run: `sam deploy` was ended at its question.
NEVER_RUN = "REVIEW_IN_PROGRESS"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A deployed stack, whatever its status."""

    name: str
    status: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]


def described(client: Any, name: str) -> Stack | None:
    """Return a stack, or None where it was never deployed.

    CloudFormation answers ValidationError for a stack that is not there, and nothing else is
    invalid about a name that samconfig's reader let through.
    """
    try:
        (stack,) = client.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if trouble.code_of(error) != "ValidationError":
            raise
        return None
    return None if stack["StackStatus"] == NEVER_RUN else _read(stack)


def _read(stack: Mapping[str, Any]) -> Stack:
    return Stack(
        name=stack["StackName"],
        status=stack["StackStatus"],
        outputs={row["OutputKey"]: row["OutputValue"] for row in stack.get("Outputs", ())},
        parameters={
            row["ParameterKey"]: row.get("ParameterValue", "")
            for row in stack.get("Parameters", ())
        },
    )
