"""Batches in flight: they are delivered concurrently."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from dovecote.dispatch.batch import InFlight


def test_the_batch_that_ends_first_is_joined_first() -> None:
    breaker = threading.Event()

    def slow() -> Counter[str]:
        breaker.wait(10)
        return Counter(published=1)

    with ThreadPoolExecutor(2) as executor:
        flights = InFlight(executor)
        flights.begin(slow)
        flights.begin(lambda: Counter(published=2))
        assert len(flights) == 2
        assert flights.join() == Counter(published=2)
        breaker.set()
        assert flights.join() == Counter(published=1)
        assert not flights


def test_an_exception_of_a_batch_is_raised_where_it_is_joined() -> None:
    def lost() -> Counter[str]:
        raise ZeroDivisionError

    with ThreadPoolExecutor(1) as executor:
        flights = InFlight(executor)
        flights.begin(lost)
        with pytest.raises(ZeroDivisionError):
            flights.join()
        assert not flights
