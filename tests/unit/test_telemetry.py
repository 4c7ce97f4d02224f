"""Traces: the active trace's id, and the producer's context kept."""

import re
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler

from dovecote.aws.telemetry import LONGEST, Tracing, continued, trace_id, trace_id_of
from tests.unit.examples import TRACEPARENT

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"

MALFORMED = [
    "",
    " ",
    "nonsense",
    TRACE_ID,
    f"00-{TRACE_ID}-{SPAN_ID}",
    f"00-{TRACE_ID}-{SPAN_ID}-01-more",
    f"00-{TRACE_ID.upper()}-{SPAN_ID}-01",
    f"00-{TRACE_ID[:-1]}-{SPAN_ID}-01",
    f"00-{TRACE_ID}-{SPAN_ID}0-01",
    f"00-{'0' * 32}-{SPAN_ID}-01",
    f"00-{TRACE_ID}-{'0' * 16}-01",
    f"ff-{TRACE_ID}-{SPAN_ID}-01",
    f"00-{TRACE_ID}-{SPAN_ID}-zz",
    # As the W3C's own tests of implementations have them.
    *(
        f"00-{trace}-{span}-{flags}"
        for trace, span, flags in [
            (f".{TRACE_ID[1:]}", SPAN_ID, "01"),
            (f"{TRACE_ID[1:]}.", SPAN_ID, "01"),
            (f"{TRACE_ID}3", SPAN_ID, "01"),
            (TRACE_ID, f".{SPAN_ID[1:]}", "01"),
            (TRACE_ID, SPAN_ID[1:], "01"),
            (TRACE_ID, SPAN_ID, ".0"),
            (TRACE_ID, SPAN_ID, "0."),
            (TRACE_ID, SPAN_ID, "001"),
            (TRACE_ID, SPAN_ID, "1"),
            (TRACE_ID, SPAN_ID, "01."),
            (TRACE_ID, SPAN_ID, "01-"),
            (TRACE_ID, SPAN_ID.upper().replace("0", "A"), "01"),
            (TRACE_ID, SPAN_ID, "0A"),
        ]
    ),
    *(f"{version}-{TRACE_ID}-{SPAN_ID}-01" for version in (".0", "0.", "000", "0000", "0", "FF")),
    f"cc-{TRACE_ID}-{SPAN_ID}-01.what-the-future-will-be-like",
    f"CC-{TRACE_ID}-{SPAN_ID}-01",
    # Two headers, as API Gateway joins them.
    f"{TRACEPARENT},{TRACEPARENT}",
    f"01-{TRACE_ID}-{SPAN_ID}-01,01-{TRACE_ID}-{SPAN_ID}-01",
    f"{TRACEPARENT}\n",
    f"00 -{TRACE_ID}-{SPAN_ID}-01",
]

VALID = [
    TRACEPARENT,
    f"00-{TRACE_ID}-{SPAN_ID}-00",
    f"00-{TRACE_ID}-{SPAN_ID}-ff",
    # a later version may say more
    f"01-{TRACE_ID}-{SPAN_ID}-01-more",
    f"cc-{TRACE_ID}-{SPAN_ID}-01",
    f"cc-{TRACE_ID}-{SPAN_ID}-01-what-the-future-will-be-like",
    f"01-{TRACE_ID}-{SPAN_ID}-01-{'x' * 456}",
]


def tracing(sampler: Sampler = ALWAYS_ON) -> Tracing:
    limits = SpanLimits(max_links=SpanLimits.UNSET)
    provider = TracerProvider(sampler=sampler, span_limits=limits, shutdown_on_exit=False)
    return Tracing(provider.get_tracer("test"))


def links() -> list[str]:
    """Return what the active span is linked to."""
    contexts = (link.context for link in getattr(trace.get_current_span(), "links", ()))
    return [f"00-{c.trace_id:032x}-{c.span_id:016x}-{c.trace_flags:02x}" for c in contexts]


def test_outside_of_a_span_there_is_no_trace_id() -> None:
    assert trace_id() == ""


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF], ids=["sampled", "not sampled"])
def test_within_a_span_the_trace_id_is_32_hex_digits_sampled_or_not(sampler: Sampler) -> None:
    with tracing(sampler).span("attempt", None):
        inside = trace_id()
    assert re.fullmatch("[0-9a-f]{32}", inside)
    assert int(inside, 16) != 0
    assert trace_id() == ""


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF], ids=["sampled", "not sampled"])
@pytest.mark.parametrize("flags", ["00", "01"])
def test_a_span_continues_the_producer_s_trace(sampler: Sampler, flags: str) -> None:
    with tracing(sampler).span("attempt", f"00-{TRACE_ID}-{SPAN_ID}-{flags}"):
        assert trace_id() == TRACE_ID


@pytest.mark.parametrize("traceparent", MALFORMED)
def test_a_malformed_traceparent_starts_a_trace_of_its_own(traceparent: str) -> None:
    with tracing().span("attempt", traceparent):
        assert re.fullmatch("[0-9a-f]{32}", trace_id())
        assert trace_id() not in (TRACE_ID, "0" * 32)


def test_an_attempt_within_another_span_follows_its_own_producer() -> None:
    with tracing().span("dispatch", None), tracing().span("attempt", TRACEPARENT):
        assert trace_id() == TRACE_ID


def test_a_span_of_one_trace_many_times_continues_it() -> None:
    with tracing().span("attempt", TRACEPARENT, TRACEPARENT):
        assert trace_id() == TRACE_ID
        assert links() == []


def test_a_span_of_several_traces_is_the_active_one_s_and_linked_to_each_that_there_is() -> None:
    others = [f"00-{n:032x}-{n:016x}-01" for n in range(1, 200)]
    with tracing().span("dispatch", None):
        run = trace_id()
        with tracing().span("deliver", None, "no", *others):
            assert trace_id() == run
            assert links() == others


@pytest.mark.parametrize("given", [(), (None, "no"), (None, TRACEPARENT)], ids=repr)
def test_a_span_that_continues_none_starts_a_trace_where_no_span_is_active(given: Any) -> None:
    with tracing().span("deliver", *given):
        assert trace_id() not in (TRACE_ID, "")


def test_a_span_of_nothing_belongs_to_the_active_one() -> None:
    with tracing().span("dispatch", TRACEPARENT), tracing().span("attempt"):
        assert trace_id() == TRACE_ID


def test_an_exception_leaves_the_span_and_is_not_recorded() -> None:
    recorded: list[trace.Span] = []

    def fail() -> None:
        with tracing().span("attempt", None):
            recorded.append(trace.get_current_span())
            raise ValueError("success+ann@simulator.amazonses.com")

    with pytest.raises(ValueError, match="success"):
        fail()
    assert trace_id() == ""
    (span,) = recorded
    assert getattr(span, "events", ()) == ()
    assert "success" not in str(getattr(span, "status", ""))


@pytest.mark.parametrize("traceparent", VALID)
def test_a_valid_traceparent_is_kept_verbatim_but_for_blanks_around_it(traceparent: str) -> None:
    for given in (traceparent, f" \t{traceparent}\t "):
        assert continued(given) == traceparent
        with tracing().span("submit", given):
            assert trace_id() == TRACE_ID
            assert continued(given) == traceparent


@pytest.mark.parametrize("traceparent", [None, *MALFORMED])
def test_a_malformed_one_is_replaced_by_that_of_the_active_span(traceparent: str | None) -> None:
    assert continued(traceparent) is None
    with tracing().span("submit", traceparent):
        replaced = continued(traceparent)
        assert replaced is not None
        assert re.fullmatch(rf"00-{trace_id()}-[0-9a-f]{{16}}-0[13]", replaced)


def test_the_trace_id_of_a_traceparent_is_its_own_or_empty_where_it_is_malformed() -> None:
    assert [trace_id_of(one) for one in VALID] == [TRACE_ID] * len(VALID)
    assert [trace_id_of(one) for one in (None, *MALFORMED)] == [""] * (len(MALFORMED) + 1)


@pytest.mark.parametrize("longer", [0, 1, 5000])
def test_a_traceparent_that_is_too_long_is_malformed_and_logs_nothing(
    longer: int, caplog: pytest.LogCaptureFixture
) -> None:
    longest = f"01-{TRACE_ID}-{SPAN_ID}-01-".ljust(LONGEST, "x")
    assert trace_id_of(longest + "x" * longer) == (TRACE_ID if longer == 0 else "")
    assert caplog.messages == []


@pytest.mark.parametrize("junk", ["\x00", "\ud800", "\n", "x" * 5000], ids=ascii)
def test_what_a_later_version_says_more_is_kept_only_where_it_can_be_stored(junk: str) -> None:
    kept = continued(f"01-{TRACE_ID}-{SPAN_ID}-01-{junk}")
    assert kept is None or (kept.isascii() and kept.isprintable() and len(kept) <= LONGEST)
