"""`dovecote redrive`: redrive dead letters."""

import argparse
import sys

from operate import UsageError, redrive
from operate.api import Api, Document
from operate.cli import options
from operate.finding import report
from operate.terminal import say, say_json

DESCRIPTION = """\
Give dead letters a fresh set of attempts. Choose them by --id, by a filter
(--kind, --channel, --reason, --since, --until), or take --all. Without --id the
command first counts and asks; --yes skips the question, --dry-run only counts.
The newest are redriven first, and become due at a rate, so that other
notifications go out between them. A route that has expired needs --expires-at.
The API keeps a record of who redrove what (GET /redrives)."""
EXAMPLES = """\
  dovecote redrive --id 0192f6a0-5d9c-7f43-9a50-3c4f4b4a9d11 --env prod
  dovecote redrive --reason attempts --channel email --env prod --dry-run \\
    --since 2026-11-23T14:00:00Z --until 2026-11-23T18:00:00Z
  dovecote redrive --reason attempts --limit 5 --yes --env prod
"""
ENDS = {
    "success": "all are redriven, or counted",
    "failure": "one is refused or not found, or your answer was no",
}
FILTER = {"kind": "kind", "channel": "channel", "reason": "reason", "since": "from", "until": "to"}
"""The options of a filter, and what the API calls them."""
LIMIT, PER_SECOND = 1000, 10.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "--id", nargs="+", help="a route, or a notification with all its dead letters"
    )
    parser.add_argument("--kind", help="a kind of the catalog")
    parser.add_argument("--channel", help="a channel, such as email")
    parser.add_argument("--reason", help="attempts, expired, permanent or ambiguous")
    parser.add_argument(
        "--since", metavar="TIME", type=options.instant, help="dead letters from this time on"
    )
    parser.add_argument(
        "--until", metavar="TIME", type=options.instant, help="dead letters before this time"
    )
    parser.add_argument("--all", action="store_true", help="all dead letters, without a filter")
    parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--limit",
        metavar="N",
        type=options.integer(1, 10_000),
        help="redrive at most so many [1000]",
    )
    parser.add_argument(
        "--per-second", metavar="R", type=_rate, help="so many become due in a second [10]"
    )
    parser.add_argument(
        "--expires-at", metavar="TIME", type=options.instant, help="when they expire now"
    )
    options.add_environment(parser)
    options.add_json(parser)


def run(given: argparse.Namespace) -> int:
    """Redrive and print what was done; return 1 if something was refused or not found."""
    values = {name: getattr(given, option) for option, name in FILTER.items()}
    filter_ = {name: value for name, value in values.items() if value is not None}
    _check(given, filter_)
    api = options.reach(given)
    if given.id:
        return _by_ids(api, given)
    request = {
        "filter": filter_,
        "limit": given.limit or LIMIT,
        "per_second": given.per_second or PER_SECOND,
        "expires_at": given.expires_at,
    }
    if given.dry_run:
        return _count(api, request, as_json=given.json)
    if not given.yes and not _confirmed(api, request):
        return 1
    answer = redrive.by_filter(api, request)
    if given.json:
        say_json(answer)
        return 1 if answer["refused"] else 0
    return report(redrive.summary(answer, request))


def _check(given: argparse.Namespace, filter_: Document) -> None:
    """Refuse options that do not go together; raise UsageError."""
    ways = [bool(given.id), bool(filter_), given.all]
    if sum(ways) != 1:
        raise UsageError(
            "one way to choose dead letters is needed", "give --id, a filter, or --all"
        )
    if given.id and (given.dry_run or given.limit or given.per_second):
        raise UsageError("--dry-run, --limit and --per-second are not for --id", "omit them")
    if not (given.id or given.dry_run or given.yes or sys.stdin.isatty()):
        raise UsageError(
            "a redrive by filter asks first, and the input is not a terminal",
            "count with --dry-run, then add --yes",
        )


def _by_ids(api: Api, given: argparse.Namespace) -> int:
    results = redrive.by_ids(api, given.id, given.expires_at)
    if not given.json:
        return report(result.finding() for result in results)
    documents = [result.document() for result in results]
    say_json({"results": documents})
    return 0 if all(one["redriven"] for one in documents) else 1


def _count(api: Api, request: Document, *, as_json: bool) -> int:
    counted = redrive.by_filter(api, {**request, "dry_run": True})
    if as_json:
        say_json(counted)
    else:
        say(f"{counted['matched']} dead letters match; nothing is changed.")
    return 0


def _confirmed(api: Api, request: Document) -> bool:
    """Ask the terminal, on stderr, whether to redrive what matches."""
    matched = redrive.by_filter(api, {**request, "dry_run": True})["matched"]
    say(
        f"{matched} dead letters match. Redrive at most {request['limit']},"
        f" {request['per_second']:g} a second? [y/N]",
        sys.stderr,
    )
    is_yes = sys.stdin.readline().strip().lower() in {"y", "yes"}
    if not is_yes:
        say("Nothing is redriven.", sys.stderr)
    return is_yes


def _rate(text: str) -> float:
    rate = float(text)
    if not 0.01 <= rate <= 1000:
        raise argparse.ArgumentTypeError("must be from 0.01 to 1000")
    return rate
