"""The account: who we are, and whether Lambda has room for the stack."""

from collections.abc import Iterator

from operate.finding import Finding, ok, wrong
from operate.site import Site

# Lambda refuses a reservation that leaves less to the functions which have none.
LEAST_UNRESERVED = 100
CONCURRENT_EXECUTIONS = "L-B99A9384"
FUNCTIONS = ("Submit", "Dispatch", "Api", "Feedback")
PARAMETERS = tuple(f"{word}ReservedConcurrency" for word in FUNCTIONS)


def credentials(site: Site) -> Iterator[Finding]:
    """Ask AWS who we are."""
    caller = site.client("sts").get_caller_identity()
    who = caller["Arn"].rpartition(":")[2]
    yield ok(f"account {caller['Account']} in {site.region}, as {who}")


def concurrency(site: Site) -> Iterator[Finding]:
    """Hold what the stack reserves against what the account has."""
    limits = site.client("lambda").get_account_settings()["AccountLimit"]
    limit, unreserved = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    asked = sum(_asked(site, parameter) for parameter in PARAMETERS)
    # What the stack has reserved already is not unreserved, and is asked for once more.
    left = unreserved + (_reserved(site) if asked else 0) - asked
    if not asked:
        yield ok(f"Lambda: {unreserved} of {limit} concurrent executions free; none to reserve")
    elif left < LEAST_UNRESERVED:
        yield wrong(
            f"Lambda: the stack reserves {asked} of {limit} concurrent executions, which leaves"
            f" {left} unreserved, and Lambda insists on {LEAST_UNRESERVED}",
            f"set {', '.join(PARAMETERS)} to 0, or {_raise_quota(site, asked)}",
        )
    else:
        yield ok(f"Lambda: {asked} of {limit} concurrent executions to reserve, {left} stay free")


def _asked(site: Site, parameter: str) -> int:
    return int(site.parameter(parameter) or 0)


def _reserved(site: Site) -> int:
    if site.stack is None:
        return 0
    client = site.client("lambda")
    # What the deployed release does not have yet has nothing reserved.
    names = [site.function(word) for word in FUNCTIONS if site.output(f"{word}FunctionName")]
    answers = [client.get_function_concurrency(FunctionName=name) for name in names]
    return sum(answer.get("ReservedConcurrentExecutions", 0) for answer in answers)


def _raise_quota(site: Site, asked: int) -> str:
    return site.command(
        *("service-quotas", "request-service-quota-increase", "--service-code", "lambda"),
        *("--quota-code", CONCURRENT_EXECUTIONS),
        *("--desired-value", str(max(1000, asked + LEAST_UNRESERVED))),
    )
