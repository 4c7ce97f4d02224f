"""The account: who we are, and whether Lambda has room."""

from typing import Any

import pytest

from operate.checks import account
from tests.unit.operate.sites import ACCOUNT, StubbedAws, a_site, a_stack, lines


def limits(total: int, unreserved: int) -> dict[str, Any]:
    return {
        "AccountLimit": {
            "ConcurrentExecutions": total,
            "UnreservedConcurrentExecutions": unreserved,
        }
    }


def test_who_we_are_is_said_without_more_of_the_arn_than_it_takes(aws: StubbedAws) -> None:
    caller = {
        "Account": ACCOUNT,
        "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/ann",
        "UserId": "A",
    }
    aws.answers("sts", "get_caller_identity", caller, {})
    (line,) = lines(account.credentials(a_site(aws)))
    assert line == f"ok  account {ACCOUNT} in eu-central-1, as assumed-role/admin/ann"


@pytest.mark.parametrize(
    ("total", "unreserved", "asked", "line"),
    [
        # none asked for: a new account's 10 will do
        (1000, 1000, {}, "ok  Lambda: 1000 of 1000 concurrent executions free; none to reserve"),
        (10, 10, {}, "ok  Lambda: 10 of 10 concurrent executions free; none to reserve"),
        # exactly what Lambda insists on stays
        (1000, 1000, {"SubmitReservedConcurrency": "890", "ApiReservedConcurrency": "10"},
         "ok  Lambda: 900 of 1000 concurrent executions to reserve, 100 stay free"),
        (1000, 1000, {"SubmitReservedConcurrency": "901"},
         "!!  Lambda: the stack reserves 901 of 1000 concurrent executions, which leaves 99"),
        # others reserve as well
        (1000, 150, {"DispatchReservedConcurrency": "40", "FeedbackReservedConcurrency": "20"},
         "!!  Lambda: the stack reserves 60 of 1000 concurrent executions, which leaves 90"),
        (10, 10, {"FeedbackReservedConcurrency": "5"},
         "!!  Lambda: the stack reserves 5 of 10 concurrent executions, which leaves 5"),
    ],
)  # fmt: skip
def test_what_the_stack_reserves_leaves_100(
    aws: StubbedAws, total: int, unreserved: int, asked: dict[str, str], line: str
) -> None:
    aws.answers("lambda", "get_account_settings", limits(total, unreserved), {})
    (said,) = lines(account.concurrency(a_site(aws, **asked)))
    assert said.startswith(line)


def test_an_account_without_room_is_told_how_to_get_it(aws: StubbedAws) -> None:
    aws.answers("lambda", "get_account_settings", limits(10, 10))
    (said,) = lines(account.concurrency(a_site(aws, SubmitReservedConcurrency="5")))
    assert "set SubmitReservedConcurrency, DispatchReservedConcurrency," in said
    assert said.endswith(
        "aws service-quotas request-service-quota-increase --service-code lambda"
        " --quota-code L-B99A9384 --desired-value 1000 --region eu-central-1"
    )


def test_what_the_stack_has_reserved_already_is_not_asked_for_twice(aws: StubbedAws) -> None:
    aws.answers("lambda", "get_account_settings", limits(1000, 120))
    others = ("dispatch", "api", "feedback")
    for word, reserved in [("submit", 80), *((other, None) for other in others)]:
        aws.answers(
            "lambda",
            "get_function_concurrency",
            {"ReservedConcurrentExecutions": reserved} if reserved else {},
            {"FunctionName": f"dovecote-dev-{word}"},
        )
    site = a_site(aws, stack=a_stack(), SubmitReservedConcurrency="100")
    assert lines(account.concurrency(site)) == [
        "ok  Lambda: 100 of 1000 concurrent executions to reserve, 100 stay free"
    ]
