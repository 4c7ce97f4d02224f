"""Problem documents, and pointers to what is wrong."""

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dovecote.core.problems import (
    Fault,
    InProgress,
    Invalid,
    Malformed,
    Mismatch,
    NotFound,
    Problem,
    TooLarge,
    Unavailable,
    pointer,
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # RFC 6901, section 5
        ((), ""),
        (("foo",), "/foo"),
        (("foo", 0), "/foo/0"),
        (("",), "/"),
        (("a/b",), "/a~1b"),
        (("c%d",), "/c%d"),
        (("e^f",), "/e^f"),
        (("k\\l",), "/k\\l"),
        (('k"l',), '/k"l'),
        ((" ",), "/ "),
        (("m~n",), "/m~0n"),
        # the tilde goes first
        (("~1",), "/~01"),
        (("/~",), "/~1~0"),
        (("recipients", 2, "data", "a/b"), "/recipients/2/data/a~1b"),
    ],
)
def test_a_pointer_is_escaped_as_the_rfc_says(path: tuple[str | int, ...], expected: str) -> None:
    assert pointer(path) == expected


@given(path=st.lists(st.text(max_size=64)))  # longer steps are cut
def test_a_pointer_leads_back_to_its_path(path: list[str]) -> None:
    steps = pointer(path).split("/")[1:]
    assert [step.replace("~1", "/").replace("~0", "~") for step in steps] == path


@pytest.mark.parametrize(
    ("problem", "status", "retry_after"),
    [
        (Malformed, 400, None),
        (NotFound, 404, None),
        (InProgress, 409, "1"),
        (TooLarge, 413, None),
        (Invalid, 422, None),
        (Mismatch, 422, None),
        (Unavailable, 503, "5"),
    ],
)
def test_a_problem_has_its_status_title_and_headers(
    problem: type[Problem], status: int, retry_after: str | None
) -> None:
    one = problem("in words")
    titles = {400: "Bad Request", 404: "Not Found", 409: "Conflict", 413: "Content Too Large"}
    titles |= {422: "Unprocessable Content", 500: "Internal Server Error"}
    titles |= {503: "Service Unavailable"}
    assert one.document() == {
        "type": "about:blank",
        "title": titles[status],
        "status": status,
        "detail": "in words",
    }
    assert isinstance(one.status, HTTPStatus)
    assert one.headers()["Content-Type"] == "application/problem+json"
    assert one.headers().get("Retry-After") == retry_after


def test_faults_are_the_errors_of_the_document_in_their_order() -> None:
    problem = Invalid("in words", [Fault("/b", "is missing"), Fault("/a", "is no list")])
    assert problem.document()["errors"] == [
        {"pointer": "/b", "detail": "is missing"},
        {"pointer": "/a", "detail": "is no list"},
    ]


def test_no_fault_is_no_member() -> None:
    assert "errors" not in Invalid("in words").document()
