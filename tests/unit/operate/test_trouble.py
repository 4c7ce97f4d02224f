"""Errors of botocore's in words."""

from typing import Any

import pytest
from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError

from operate import trouble


def refusal(code: str, message: str = "No.") -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {
            "RequestId": "r-1",
            "HTTPStatusCode": 400,
            "HTTPHeaders": {},
            "RetryAttempts": 0,
            "HostId": "",
        },
    }
    return ClientError(response, "GetAccount")


@pytest.mark.parametrize(
    ("error", "what", "remedy"),
    [
        # nobody, or nobody any more
        (boto.NoCredentialsError(), "there are no credentials", "aws sso login"),
        (boto.PartialCredentialsError(provider="env", cred_var="x"), "no credentials", "aws sso"),
        (boto.UnauthorizedSSOTokenError(), "nobody is signed in", "aws sso login"),
        (boto.ProfileNotFound(profile="dev"), "profile (dev) could not be found", "AWS_PROFILE"),
        (refusal("ExpiredToken"), "have expired (ExpiredToken)", "aws sso login"),
        (refusal("InvalidClientTokenId"), "does not know these credentials", "aws sso login"),
        # not reached
        (boto.EndpointConnectionError(endpoint_url="https://x"), "cannot be reached", "network"),
        (boto.ConnectTimeoutError(endpoint_url="https://x"), "cannot be reached", "network"),
        (boto.ReadTimeoutError(endpoint_url="https://x"), "cannot be reached", "network"),
        (boto.SSLError(endpoint_url="https://x", error="e"), "cannot be reached", "network"),
        (boto.NoRegionError(), "no region is named", "AWS_DEFAULT_REGION"),
        # not allowed: the action as IAM names it, else by the call
        (refusal("AccessDeniedException", "User: arn:aws:iam::1:user/ann is not authorized to"
                 " perform: ses:GetAccount on resource: *"), "not allowed: ses:GetAccount",
         "allow ses:GetAccount"),
        (refusal("AccessDenied", "Access denied"), "not allowed: GetAccount", "OperatorPolicyArn"),
        (refusal("AuthorizationError", "is not authorized to perform: SNS:ListTopics"),
         "not allowed: SNS:ListTopics", "allow SNS:ListTopics"),
        # the rest
        (refusal("ThrottlingException"), "throttles", "in a minute"),
        (refusal("Strange", "Out\n of order."), "GetAccount answered Strange: Out of order.",
         "request r-1"),
        (boto.InvalidRegionError(region_name="x y"), "'x y' doesn't match", "run it again"),
    ],
)  # fmt: skip
def test_an_error_says_what_is_wrong_and_what_to_do(
    error: BotoCoreError | ClientError, what: str, remedy: str
) -> None:
    words = trouble.in_words(error)
    assert what in words[0]
    assert remedy in words[1]


def test_who_was_refused_is_not_repeated() -> None:
    denied = refusal(
        "AccessDenied", "User: arn:aws:iam::1:user/ann is not authorized to perform: a:B"
    )
    assert "ann" not in str(trouble.found("x", denied))


def test_what_builds_on_a_failed_check_is_not_looked_at() -> None:
    assert trouble.found("credentials", boto.NoCredentialsError()).stops
