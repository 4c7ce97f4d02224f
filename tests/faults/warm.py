"""Imported by the server that forks workers: what each of them would load for itself."""

import email_validator  # noqa: F401
import fastjsonschema  # noqa: F401
import opentelemetry.sdk.trace  # noqa: F401

from dovecote import dispatch, finalise, gauges, plan, rates, routing, submit, wiring  # noqa: F401
from dovecote.channels import email, preview, push  # noqa: F401
from tests.faults import worker  # noqa: F401 - what a worker runs
from tests.functions import load

for service in ("sesv2", "sns"):
    wiring._session().client(service, region_name="us-east-1")
for function in ("dispatch", "submit", "feedback"):
    load(function)
