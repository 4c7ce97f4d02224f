"""Imported by the server that forks workers: what each of them would load for itself."""

from dovecote import wiring
from tests.faults import worker  # noqa: F401 - what a worker runs
from tests.functions import load

for service in ("sesv2", "sns"):
    wiring._session().client(service, region_name="us-east-1")
for function in ("dispatch", "submit", "feedback"):
    load(function)
