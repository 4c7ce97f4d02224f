"""What the demo prints: plain text of at most 100 columns."""

from collections import Counter
from collections.abc import Iterable, Sequence

from dovecote import channels
from local.demo.case import Case, Sent
from local.demo.routes import Route, destination
from local.page.messages import shown
from local.provider import Ledger
from local.provider.ledger import Acceptance, Attempt
from local.stack import Stack
from operate.terminal import printable, say
from operate.texts import short

WIDTH = 100
Cases = Sequence[tuple[Case, Sent]]


def show_stack(stack: Stack, seconds: float) -> None:
    """Say what runs where."""
    for line in (
        f"Dovecote's demo: the local stack is up after {seconds:.1f} s",
        f"  HTTP API    {stack.api_url}",
        f"  AWS         {stack.aws_url} (SES v2, SNS, SQS, Lambda)",
        f"  PostgreSQL  {stack.database_url}",
    ):
        _say(line)


def show_requests(sent: Cases) -> None:
    """Show what was asked and answered."""
    rows = [
        (case.name, f"{case.method} {_short(answer)}", str(answer.status), _remark(answer))
        for case, answer in sent
    ]
    _table("Requests", ("event", "request", "HTTP", "answer"), rows)


def show_routes(sent: Cases, routes: Sequence[Route]) -> None:
    """Show what became of every route."""
    names = _names(sent)
    rows = [
        (
            names.get(route["notification_id"], ""),
            short(route["notification_id"]),
            route["channel"],
            destination(route).replace("@simulator.amazonses.com", "@…"),
            route["status"],
            str(route["attempts"]),
            route["reason"] or route["last_error"] or "",
        )
        for route in routes
    ]
    header = ("event", "id", "channel", "to", "status", "attempts", "reason")
    _table("Routes (addresses are of simulator.amazonses.com)", header, rows)


def show_retries(sent: Cases, routes: Sequence[Route], ledger: Ledger) -> None:
    """Show each attempt of the routes that needed more than one."""
    names = _names(sent)
    tried: dict[str, list[Attempt]] = {}
    for attempt in ledger.attempts:
        tried.setdefault(attempt.tags.get("route_id", ""), []).append(attempt)
    rows: list[tuple[str, ...]] = []
    for route in routes:
        attempts = tried.get(route["route_id"], [])
        if len(attempts) > 1:
            rows += _attempts(names.get(route["notification_id"], ""), attempts)
    _table("Retries, as the provider saw them", ("event", "attempt", "after", "outcome"), rows)


def _attempts(name: str, attempts: Sequence[Attempt]) -> Iterable[tuple[str, ...]]:
    first = attempts[0].time
    for number, attempt in enumerate(attempts, 1):
        yield name, str(number), f"{attempt.time - first:.1f} s", attempt.outcome


def show_dead_letters(sent: Cases, routes: Sequence[Route]) -> None:
    """Show why a route will not be tried again."""
    names = _names(sent)
    rows = [
        (
            names.get(route["notification_id"], ""),
            route["kind"],
            route["reason"],
            route["last_error"] or "",
        )
        for route in routes
        if route["reason"] is not None
    ]
    _table("Dead letters", ("event", "kind", "reason", "last error"), rows)


def show_acceptances(ledger: Ledger) -> None:
    """Show what the provider got, in its order."""
    for channel in channels.NAMES:
        rows = [_message(row) for row in ledger.accepted if row.channel == channel]
        _table(f"Accepted by the provider: {channel}", ("", "to", "message"), rows)


def show_verdict(
    wrong: Sequence[str], routes: Sequence[Route], ledger: Ledger, seconds: float
) -> None:
    """Say whether it all agrees."""
    received = sum(ledger.received.values())
    _say("")
    _say(f"Routes: {_counted(routes)}")
    _say(f"Provider: {received} requests to send, {len(ledger.accepted)} accepted")
    if wrong:
        _say(f"FAILED after {seconds:.0f} s:")
        for line in wrong:
            _say(f"  - {line}")
    else:
        _say("The provider's ledger and the database agree to the row.")
        _say(f"Done in {seconds:.0f} s.")


def _remark(answer: Sent) -> str:
    if answer.replayed:
        return "replayed"
    if errors := answer.document.get("errors"):
        return f"{errors[0].get('pointer')}: {errors[0].get('detail')}"
    if results := answer.document.get("results"):
        return f"each: {_counted(results)}"
    if routes := answer.document.get("routes"):
        return f"{short(answer.document['notification_id'])}: {_counted(routes)}"
    said = answer.document.items()
    return ", ".join(f"{name} {len(v) if isinstance(v, list) else v}" for name, v in said)


def _counted(rows: Iterable[Route]) -> str:
    counts = Counter(row["status"] for row in rows)
    return ", ".join(f"{count} {status}" for status, count in counts.most_common())


def _short(answer: Sent) -> str:
    parts = [short(part) if len(part) == 36 else part for part in answer.path.split("/")]
    return "/".join(parts)


def _names(sent: Cases) -> dict[str, str]:
    """Return the event's name by notification; the one that made it, not the one that replayed."""
    names: dict[str, str] = {}
    for case, answer in sent:
        for notification_id in answer.notification_ids:
            names.setdefault(notification_id, case.name.removesuffix(".json"))
    return names


def _message(row: Acceptance) -> tuple[str, ...]:
    message = shown(row.content)
    text = ": ".join(part for part in (message["title"], message["body"]) if part)
    return str(row.sequence), message["to"], text


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str | None]]) -> None:
    texts = [[printable(cell or "") for cell in row] for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    _say("")
    _say(title)
    for row in texts if rows else [["none"]]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        _say(("  " + "  ".join(cells)).rstrip())


def _say(line: str) -> None:
    line = printable(line)
    say(line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…")
