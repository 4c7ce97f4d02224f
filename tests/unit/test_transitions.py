"""The life of a route, a comment a row of the design's table, and how long a retry waits."""

import math
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovecote.core.backoff import Backoff
from dovecote.core.feedback import DeliveryEvent, Feedback, Verdict
from dovecote.core.outcome import (
    Ambiguous,
    Delivered,
    Failed,
    NotBegun,
    Outcome,
    Permanent,
    Throttled,
    Unavailable,
    Unreachable,
)
from dovecote.core.route import Reason, Status
from dovecote.core.transitions import (
    DeadLetter,
    Defer,
    Doubt,
    GiveBack,
    Publish,
    Recorded,
    Refusal,
    Retry,
    Skip,
    Transition,
    after,
    ended,
    redriven,
    reported,
    suppressed,
    unsent,
)
from tests.unit.examples import a_claim, default_backoff

PLAIN = Backoff(base=30.0, factor=2.0, maximum=3600.0, jitter=0.0)
HOLD = 300.0

chance = st.floats(0, 1, exclude_max=True)
attempts = st.integers(-3, 40) | st.integers(1, 10**9) | st.just(10**9) | st.just(10**400)
seconds = st.floats(0, 1e9)
backoffs = st.builds(
    Backoff, base=seconds, factor=st.floats(1, 1e6), maximum=seconds, jitter=st.floats(-1, 1)
)


def middle() -> float:
    return 0.5


@pytest.mark.parametrize("hold", [0.0, HOLD])
@pytest.mark.parametrize("channel", ["email", "push"])
@pytest.mark.parametrize(
    ("attempt", "outcome", "expected"),
    [
        # delivered: published, with the provider's id
        (1, Delivered(message_id="m-1"), Publish(message_id="m-1")),
        # delivered at the last attempt is delivered all the same
        (5, Delivered(message_id="m-1"), Publish(message_id="m-1")),
        # and past it too: what the provider accepted is no dead letter
        (6, Delivered(message_id="m-1"), Publish(message_id="m-1")),
        # failed, attempts < max_attempts: retrying, after backoff(attempts)
        (1, Failed(error="busy"), Retry(delay=30.0, error="busy")),
        (4, Failed(error="busy"), Retry(delay=240.0, error="busy")),
        # not reached, and not even asked: the same
        (1, Failed(error="busy", unreached=True), Retry(delay=30.0, error="busy")),
        (1, Failed(error="busy", asked=False), Retry(delay=30.0, error="busy")),
        # failed, attempts = max_attempts: dead letter
        (5, Failed(error="busy"), DeadLetter(reason=Reason.ATTEMPTS, error="busy")),
        # failed, attempts > max_attempts: dead letter
        (6, Failed(error="busy"), DeadLetter(reason=Reason.ATTEMPTS, error="busy")),
        # permanent: dead letter at the first attempt
        (1, Permanent(error="no"), DeadLetter(reason=Reason.PERMANENT, error="no")),
        # permanent at the last attempt keeps its reason
        (5, Permanent(error="no"), DeadLetter(reason=Reason.PERMANENT, error="no")),
        # device dead: skipped, at whichever attempt
        (1, Unreachable(reason="gone"), Skip(reason="gone")),
        (5, Unreachable(reason="gone"), Skip(reason="gone")),
        # claimed, but not begun: given back
        (1, NotBegun(), GiveBack()),
        # not begun at the last attempt: given back, no dead letter
        (5, NotBegun(), GiveBack()),
    ],
)
def test_an_outcome_makes_what_the_table_says_of_a_route_whatever_its_channel_and_hold(
    channel: str, hold: float, attempt: int, outcome: Outcome, expected: Transition
) -> None:
    claim = a_claim(channel=channel, attempts=attempt, max_attempts=5)
    assert after(claim, outcome, PLAIN, middle, hold) == expected


@pytest.mark.parametrize("hold", [0.0, HOLD])
@pytest.mark.parametrize("attempt", [1, 5])
@pytest.mark.parametrize(
    ("outcome", "behind"),
    [
        # unavailable as an account: given back; the lanes of its channel are not claimed
        (Unavailable(resource="email", error="off"), None),
        # not begun because the channel had paused
        (NotBegun(behind="email"), None),
        # not begun because the identity had
        (NotBegun(behind="email/example.com"), "email/example.com"),
    ],
)
def test_what_is_unavailable_or_behind_a_pause_burns_no_attempt(
    hold: float, attempt: int, outcome: Outcome, behind: str | None
) -> None:
    claim = a_claim(channel="email", attempts=attempt, max_attempts=5)
    assert after(claim, outcome, PLAIN, middle, hold) == GiveBack(behind=behind)


@pytest.mark.parametrize("hold", [0.0, HOLD])
@pytest.mark.parametrize(
    ("claims", "attempts", "delay"),
    # twice as long for each claim before that burnt no attempt, up to half a minute
    [
        (1, 1, 0.5),
        (2, 1, 1.0),
        (3, 1, 2.0),
        (5, 4, 1.0),
        (5, 5, 0.5),
        (7, 1, 30.0),
        (5000, 1, 30.0),
    ],
)
def test_what_is_throttled_burns_no_attempt_and_is_due_again_soon(
    hold: float, claims: int, attempts: int, delay: float
) -> None:
    claim = a_claim(channel="email", claims=claims, attempts=attempts, max_attempts=5)
    throttled = Throttled(resource="email", error="fast")
    assert after(claim, throttled, PLAIN, middle, hold) == GiveBack(delay=delay)


@pytest.mark.parametrize("hold", [0.0, HOLD])
@pytest.mark.parametrize("attempt", [1, 5])
def test_a_route_that_one_identity_refused_is_deferred_and_burns_no_attempt(
    hold: float, attempt: int
) -> None:
    claim = a_claim(channel="email", attempts=attempt, max_attempts=5)
    outcome = Unavailable(resource="email/example.com", error="off")
    expected = Defer(behind="email/example.com", error="off")
    assert after(claim, outcome, PLAIN, middle, hold) == expected


def test_a_refusal_that_is_the_routes_own_is_a_failure_like_any_other() -> None:
    outcome = Failed(error="AccessDenied", refused=True)
    first, last = (a_claim(attempts=n, max_attempts=2) for n in (1, 2))
    assert after(first, outcome, PLAIN, middle, HOLD) == Retry(
        delay=30.0, error="AccessDenied", refused=True
    )
    assert after(last, outcome, PLAIN, middle, HOLD) == DeadLetter(
        reason=Reason.ATTEMPTS, error="AccessDenied"
    )


@pytest.mark.parametrize("channel", ["email", "push"])
@pytest.mark.parametrize(
    ("attempt", "hold", "expected"),
    [
        # ambiguous: retrying in doubt, after max(hold, backoff(attempts))
        (1, HOLD, Doubt(delay=300.0, hold=300.0, error="lost")),
        (4, HOLD, Doubt(delay=300.0, hold=300.0, error="lost")),
        (4, 100.0, Doubt(delay=240.0, hold=100.0, error="lost")),
        # at the last attempt too: its event may still settle it
        (5, HOLD, Doubt(delay=480.0, hold=300.0, error="lost")),
        (6, HOLD, Doubt(delay=960.0, hold=300.0, error="lost")),
        # no hold where the channel has no feedback: then it is a failure
        (1, 0.0, Retry(delay=30.0, error="lost")),
        (4, 0.0, Retry(delay=240.0, error="lost")),
        (5, 0.0, DeadLetter(reason=Reason.ATTEMPTS, error="lost")),
    ],
)
def test_an_ambiguous_answer_is_held_where_an_event_may_follow(
    channel: str, attempt: int, hold: float, expected: Transition
) -> None:
    claim = a_claim(channel=channel, attempts=attempt, max_attempts=5)
    assert after(claim, Ambiguous(error="lost"), PLAIN, middle, hold) == expected


@pytest.mark.parametrize("attempt", [1, 5])
@pytest.mark.parametrize(
    ("hold", "expected"),
    [
        # in doubt for the hold, its attempt given back
        (HOLD, Doubt(delay=300.0, hold=300.0, error="lost", counted=False)),
        # no event will follow: as what is unavailable for sure
        (0.0, GiveBack()),
    ],
)
def test_the_last_straw_of_an_outage_burns_no_attempt_and_may_be_in_doubt(
    attempt: int, hold: float, expected: Transition
) -> None:
    claim = a_claim(channel="email", attempts=attempt, max_attempts=5)
    outcome = Unavailable(resource="email", error="lost", doubtful=True)
    assert after(claim, outcome, PLAIN, middle, hold) == expected


@given(attempt=st.integers(1, 100), hold=st.floats(0.1, 1e6), random=chance)
def test_a_route_in_doubt_is_not_due_before_its_hold_is_over(
    attempt: int, hold: float, random: float
) -> None:
    claim = a_claim(attempts=attempt, max_attempts=5)
    doubt = after(claim, Ambiguous(error="lost"), default_backoff(), lambda: random, hold)
    assert isinstance(doubt, Doubt)
    assert doubt.delay >= doubt.hold == hold


@pytest.mark.parametrize("channel", ["email", "push"])
@pytest.mark.parametrize(
    ("expires_in", "counted", "in_doubt", "reason"),
    [
        # in time and counted: to be tried, in doubt or not
        (0.001, True, False, None),
        (0.001, True, True, None),
        # claimed past expires_at: dead letter, without an error of its own
        (0.0, True, False, Reason.EXPIRED),
        (-1.0, True, False, Reason.EXPIRED),
        # claimed at max attempts: dead letter, not counted
        (60.0, False, False, Reason.ATTEMPTS),
        # both: it expired
        (-1.0, False, False, Reason.EXPIRED),
        # each of them in doubt: ambiguous
        (0.0, True, True, Reason.AMBIGUOUS),
        (60.0, False, True, Reason.AMBIGUOUS),
        (-1.0, False, True, Reason.AMBIGUOUS),
    ],
)
def test_a_route_that_is_claimed_too_late_ends_without_a_send(
    channel: str, expires_in: float, counted: bool, in_doubt: bool, reason: Reason | None
) -> None:
    claim = a_claim(channel=channel, expires_in=expires_in, counted=counted, in_doubt=in_doubt)
    assert ended(claim) == (None if reason is None else DeadLetter(reason=reason, error=None))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # nothing is against it
        ({}, None),
        # its address is suppressed: skipped
        ({"suppressed": "bounced"}, Unreachable(reason="address is suppressed: bounced")),
        ({"suppressed": "complained"}, Unreachable(reason="address is suppressed: complained")),
        # in doubt too
        (
            {"suppressed": "manual", "in_doubt": True},
            Unreachable(reason="address is suppressed: manual"),
        ),
        ({"payload": ""}, Unreachable(reason="payload was removed")),
        # what came too late ends as that, suppressed or not
        ({"expires_in": 0.0}, NotBegun()),
        ({"counted": False}, NotBegun()),
        ({"counted": False, "suppressed": "bounced"}, NotBegun()),
    ],
)
def test_a_claim_that_came_too_late_or_whose_address_is_suppressed_is_not_sent(
    changes: dict[str, Any], expected: Outcome | None
) -> None:
    assert unsent(a_claim(**changes)) == expected


# What the provider tells afterwards.


def a_record(**changes: Any) -> Recorded:
    """Return a live route under its second claim, of whose email nothing is on record."""
    values: dict[str, Any] = {
        "status": Status.PENDING,
        "claims": 2,
        "held": False,
        "expired": False,
        "accepted": False,
        "rejected": False,
        "erased": False,
    }
    return Recorded(**(values | changes))


def an_event(known: Verdict, claim: int, message_id: str = "m-1") -> Feedback:
    return Feedback(
        route_id=uuid4(), claim=claim, message_id=message_id, known=known, error="SES Reject"
    )


SETTLED = Publish(message_id="m-1")
REFUSED = DeadLetter(reason=Reason.PERMANENT, error="SES Reject")


@pytest.mark.parametrize("claim", [1, 2])
@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize(
    ("status", "rejected", "expected"),
    [
        # live, dead_lettered: published, whichever claim the event names
        (Status.PENDING, False, SETTLED),
        (Status.RETRYING, False, SETTLED),
        (Status.DEAD_LETTERED, False, SETTLED),
        # an end that it says nothing new of
        (Status.PUBLISHED, False, None),
        (Status.CANCELLED, False, None),
        (Status.SKIPPED, False, None),
        # it was accepted first and then not sent: the acceptance comes late, and counts no more
        (Status.PENDING, True, None),
        (Status.RETRYING, True, None),
        (Status.DEAD_LETTERED, True, None),
    ],
)
def test_an_acceptance_settles_what_has_not_ended_otherwise(
    claim: int, held: bool, status: Status, rejected: bool, expected: Publish | None
) -> None:
    route = a_record(status=status, held=held, rejected=rejected)
    assert reported(route, an_event(Verdict.ACCEPTED, claim)) == expected


@pytest.mark.parametrize(
    ("status", "claim", "accepted", "expected"),
    [
        # live, published: dead letter, where it is of the newest claim
        (Status.PENDING, 2, False, REFUSED),
        (Status.RETRYING, 2, False, REFUSED),
        (Status.PUBLISHED, 2, False, REFUSED),
        # of an older claim: another send is under way, or was accepted
        (Status.PENDING, 1, False, None),
        (Status.PUBLISHED, 1, False, None),
        # another message of the route is on record as accepted
        (Status.PENDING, 2, True, None),
        (Status.PUBLISHED, 2, True, None),
        # an end that it says nothing new of
        (Status.DEAD_LETTERED, 2, False, None),
        (Status.CANCELLED, 2, False, None),
        (Status.SKIPPED, 2, False, None),
    ],
)
def test_what_was_not_sent_is_a_dead_letter_where_nothing_came_after_it(
    status: Status, claim: int, accepted: bool, expected: DeadLetter | None
) -> None:
    route = a_record(status=status, accepted=accepted, rejected=True)
    assert reported(route, an_event(Verdict.NOT_SENT, claim)) == expected


@pytest.mark.parametrize(
    ("event", "reason", "bounce_type", "expected"),
    [
        # a permanent bounce
        ("bounced", "permanent/general", "permanent", "bounced"),
        ("bounced", "permanent/suppressed", "permanent", "bounced"),
        # one that another try might not meet with
        ("bounced", "transient/mailboxfull", "transient", None),
        ("bounced", "undetermined/undetermined", "undetermined", None),
        # a complaint, whatever it says
        ("complained", "abuse", None, "complained"),
        ("complained", None, None, "complained"),
        # but one that takes an earlier one back
        ("complained", "not-spam", None, None),
        # anything else
        ("delivered", None, None, None),
        ("delayed", "mailboxfull", None, None),
    ],
)
def test_a_permanent_bounce_and_a_complaint_suppress_an_address(
    event: str, reason: str | None, bounce_type: str | None, expected: str | None
) -> None:
    at = datetime(2026, 11, 24, tzinfo=UTC)
    note = DeliveryEvent(event=event, at=at, reason=reason, bounce_type=bounce_type)
    assert suppressed(note) == expected


@pytest.mark.parametrize(
    ("status", "held", "expired", "expected"),
    [
        # dead_lettered: pending again
        (Status.DEAD_LETTERED, False, False, None),
        # in doubt: refused until the hold is over, whether it expired or not
        (Status.DEAD_LETTERED, True, False, Refusal.IN_DOUBT),
        (Status.DEAD_LETTERED, True, True, Refusal.IN_DOUBT),
        # expired: needs a new expires_at
        (Status.DEAD_LETTERED, False, True, Refusal.EXPIRED),
        # anything else is no dead letter
        (Status.PENDING, False, False, Refusal.NO_DEAD_LETTER),
        (Status.RETRYING, True, False, Refusal.NO_DEAD_LETTER),
        (Status.PUBLISHED, False, False, Refusal.NO_DEAD_LETTER),
        (Status.SKIPPED, False, True, Refusal.NO_DEAD_LETTER),
        (Status.CANCELLED, False, False, Refusal.NO_DEAD_LETTER),
    ],
)
def test_a_dead_letter_is_redriven_unless_it_is_held_or_expired(
    status: Status, held: bool, expired: bool, expected: Refusal | None
) -> None:
    assert redriven(a_record(status=status, held=held, expired=expired)) == expected


@pytest.mark.parametrize("expired", [False, True])
def test_a_dead_letter_without_a_payload_is_not_redriven(expired: bool) -> None:
    record = a_record(status=Status.DEAD_LETTERED, expired=expired, removed=True)
    assert redriven(record) is Refusal.REMOVED


# How long a retry waits.


@given(attempt=st.integers(1, 100), maximum=st.integers(1, 100))
def test_a_failed_route_is_retried_exactly_while_it_has_attempts_left(
    attempt: int, maximum: int
) -> None:
    claim = a_claim(attempts=attempt, max_attempts=maximum)
    transition = after(claim, Failed(error="busy"), PLAIN, middle, 0.0)
    assert isinstance(transition, Retry) == (attempt < maximum)


@pytest.mark.parametrize(
    ("attempt", "plain", "least", "most"),
    [
        # 30 s, doubled each time, at most an hour; a fifth less or more by chance
        (1, 30, 24, 36),
        (2, 60, 48, 72),
        (3, 120, 96, 144),
        (4, 240, 192, 288),
        (5, 480, 384, 576),
        (6, 960, 768, 1152),
        (7, 1920, 1536, 2304),
        (8, 3600, 2880, 4320),
        (9, 3600, 2880, 4320),
    ],
)
def test_the_default_schedule_is_the_one_written_here(
    attempt: int, plain: float, least: float, most: float
) -> None:
    backoff = default_backoff()
    assert backoff.delay(attempt, middle) == pytest.approx(plain)
    assert backoff.delay(attempt, lambda: 0.0) == pytest.approx(least)
    assert backoff.delay(attempt, lambda: math.nextafter(1, 0)) == pytest.approx(most)


@pytest.mark.parametrize("attempt", [1, 0, -1, -(10**9)])
def test_the_first_attempt_and_anything_below_wait_the_jittered_base(attempt: int) -> None:
    assert default_backoff().delay(attempt, lambda: 0.0) == pytest.approx(24)


@pytest.mark.parametrize("jitter", [0.0, -0.5, -7.0])
@given(attempt=st.integers(1, 60))
def test_no_jitter_leaves_the_plain_delay_and_asks_no_chance(jitter: float, attempt: int) -> None:
    def unasked() -> float:
        raise AssertionError("chance was asked")

    delay = default_backoff(jitter=jitter).delay(attempt, unasked)
    assert delay == min(3600.0, 30.0 * 2.0 ** (attempt - 1))


@given(backoff=backoffs, attempt=attempts, random=chance)
def test_a_delay_is_finite_never_negative_and_bounded(
    backoff: Backoff, attempt: int, random: float
) -> None:
    delay = backoff.delay(attempt, lambda: random)
    assert math.isfinite(delay)
    assert 0 <= delay <= backoff.maximum * (1 + max(0.0, backoff.jitter))


@given(base=seconds, jitter=st.floats(1, 100), random=chance)
def test_more_jitter_than_delay_is_never_a_negative_delay(
    base: float, jitter: float, random: float
) -> None:
    backoff = Backoff(base=base, factor=2.0, maximum=1e9, jitter=jitter)
    assert backoff.delay(1, lambda: random) >= 0


@given(backoff=backoffs, attempt=attempts)
def test_without_jitter_a_later_attempt_never_waits_less(backoff: Backoff, attempt: int) -> None:
    plain = Backoff(base=backoff.base, factor=backoff.factor, maximum=backoff.maximum, jitter=0)
    assert plain.delay(attempt, middle) <= plain.delay(attempt + 1, middle)


@pytest.mark.parametrize("attempt", [1, 2, 2000, 10**9])
def test_a_base_of_nothing_waits_for_nothing_however_late_the_attempt(attempt: int) -> None:
    assert default_backoff(base=0.0).delay(attempt, middle) == 0
