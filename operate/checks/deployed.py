"""The stack: whether it is there, of which checkout, and at rest."""

from collections.abc import Iterator

from dovecote.store.schema import migrate
from operate.finding import Finding, ok, skipped, wrong
from operate.site import Site, Stack

QUEUES = {
    "FeedbackDeadLetterQueueUrl": "what functions/feedback failed on",
    "SubmitDeadLetterQueueUrl": "what functions/submit could not store",
    "ScheduleDeadLetterQueueUrl": "runs that the schedule could not start",
    "FailedInvocationsQueueUrl": "invocations that failed for good",
}
"""The queues that should be empty, by the outputs that name them."""


def stack(site: Site) -> Iterator[Finding]:
    """Look at the stack and its status."""
    found = site.stack
    if found is None:
        yield skipped(f"not deployed yet: {site.deploy}", stops=True)
    elif found.status in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"}:
        yield wrong(
            f"the stack {found.name} is {found.status}",
            f"{site.command('cloudformation', 'delete-stack', '--stack-name', found.name)},"
            f" then {site.deploy}",
            stops=True,
        )
    else:
        yield _status(site, found)


def schema(site: Site) -> Iterator[Finding]:
    """Hold the schema that the stack was deployed with against this checkout's."""
    ours = migrate.known()[-1].version
    text = site.output("SchemaVersion") or ""
    # A number, or the name of a migration, which begins with one.
    theirs = int(digits) if (digits := text.partition("_")[0]).isdecimal() else None
    if theirs == ours:
        yield ok(f"the schema is version {ours}, this checkout's")
    elif theirs is None or theirs < ours:
        yield wrong(
            f"the schema is version {theirs or 'unknown'}, this checkout has {ours}: the stack was"
            " deployed from an older one",
            site.deploy,
        )
    else:
        yield wrong(
            f"the schema is version {theirs}, this checkout has {ours}: the stack was deployed from"
            " a newer one",
            "git pull before anybody deploys from here",
        )


def queues(site: Site) -> Iterator[Finding]:
    """Look into the dead-letter queues that the stack has."""
    named = {name: url for name in QUEUES if (url := site.output(name))}
    full = [finding for name, url in named.items() if (finding := _queue(site, url, QUEUES[name]))]
    yield from full
    if not named:
        yield skipped("the stack has no dead-letter queues")
    elif not full:
        yield ok(f"dead-letter queues: {len(named)}, all empty")


def alarms(site: Site) -> Iterator[Finding]:
    """Look for alarms of the stack that have gone off."""
    stack_name = site.section.stack_name
    pages = site.client("cloudwatch").get_paginator("describe_alarms")
    asked = pages.paginate(
        AlarmNamePrefix=f"{stack_name}-",
        AlarmTypes=["MetricAlarm", "CompositeAlarm"],
        StateValue="ALARM",
    )
    found = [
        alarm
        for page in asked
        for alarm in [*page.get("MetricAlarms", []), *page.get("CompositeAlarms", [])]
    ]
    going = [alarm for alarm in found if not _of_another(site, alarm["AlarmName"])]
    for alarm in going:
        said = alarm.get("AlarmDescription") or alarm.get("StateReason", "")
        yield wrong(f"alarm {alarm['AlarmName']}: {' '.join(said.split())}", _look(site))
    if not going:
        yield ok("no alarm of the stack has gone off")


def _of_another(site: Site, name: str) -> bool:
    """Tell whether an alarm is of a stack whose name goes on after ours, as dovecote-dev's."""
    rest = name.removeprefix(f"{site.section.stack_name}-")
    return any(rest.endswith(own) for own in site.alarms)


def _status(site: Site, found: Stack) -> Finding:
    name, status = found.name, found.status
    if status.endswith("_IN_PROGRESS"):
        return wrong(f"the stack {name} is {status}", "wait until it is done, and run this again")
    if "ROLLBACK" in status or status.endswith("_FAILED"):
        return wrong(
            f"the last deployment of {name} failed: {status}",
            site.command("cloudformation", "describe-stack-events", "--stack-name", name)
            + " says why",
        )
    return ok(f"the stack {name} is {status}")


def _queue(site: Site, url: str, what: str) -> Finding | None:
    said = site.client("sqs").get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    count = int(said["Attributes"]["ApproximateNumberOfMessages"])
    if not count:
        return None
    return wrong(
        f"{count} in {url.rpartition('/')[2]}: {what}",
        site.command("sqs", "receive-message", "--queue-url", url)
        + " shows one; console SQS, Start DLQ redrive, brings them back",
    )


def _look(site: Site) -> str:
    dashboard = site.output("DashboardUrl")
    return f"look at {dashboard}" if dashboard else "console CloudWatch, Alarms"
