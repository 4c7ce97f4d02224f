"""Imported by the server that forks workers: what each of them would load for itself."""

from importlib import import_module

import email_validator  # noqa: F401
import fastjsonschema  # noqa: F401
import opentelemetry.sdk.trace  # noqa: F401

import dovecote.dispatch.dispatch
import dovecote.dispatch.finalise
import dovecote.dispatch.services
import dovecote.operations.gauges
import dovecote.submit.build_notification
import dovecote.submit.checking
import dovecote.submit.submit  # noqa: F401
from dovecote.channels import NAMES
from dovecote.wiring import clients
from tests.faults import worker  # noqa: F401 - what a worker runs
from tests.functions import load

for name in NAMES:
    for part in ("channel", "planning", "kind"):
        import_module(f"dovecote.channels.{name}.{part}")
for service in ("sesv2", "sns"):
    clients.session().client(service, region_name="us-east-1")
for function in ("dispatch", "submit", "feedback"):
    load(function)
