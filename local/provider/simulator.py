"""The events that follow an email: EventBridge events of SES, by the mailbox simulator's rules.

SES publishes them for a configuration set; here they follow every email.
"""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from local import ACCOUNT, REGION
from local.provider.ledger import Acceptance, Email
from local.provider.order import Fault

SIMULATOR = "simulator.amazonses.com"
BOUNCES = {
    "bounce": ("Permanent", "General", "5.1.1", "smtp; 550 5.1.1 user unknown"),
    "suppressionlist": (
        "Permanent", "Suppressed", "5.1.1", "the address is on the suppression list",
    ),
}  # fmt: skip
FULL = ("Transient", "MailboxFull", "4.2.2", "smtp; 452 4.2.2 mailbox full")
Event = dict[str, Any]
# An event's detail-type and eventType, the member of its detail that is its own, and that.
Told = tuple[str, str, str, dict[str, Any]]


def events(row: Acceptance, fault: Fault | None = None) -> Iterator[Event]:
    """Yield what SES tells about an accepted email, in order; a rejected one goes no further."""
    email = row.content
    assert isinstance(email, Email)
    mail = _mail(row, email)
    resources = [f"arn:aws:ses:{REGION}:{ACCOUNT}:configuration-set/{email.configuration_set}"]
    story = _told(row, email, fault)
    for detail_type, event_type, member, told in story:
        yield {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": "aws.ses",
            "account": ACCOUNT,
            "time": _timestamp(row.time),
            "region": REGION,
            "resources": resources if email.configuration_set else [],
            "detail": {"eventType": event_type, "mail": mail, member: told},
        }


def _told(row: Acceptance, email: Email, fault: Fault | None) -> Iterator[Told]:
    now = _timestamp(row.time)
    yield "Email Sent", "Send", "send", {}
    if fault is Fault.REJECT:
        # The one reason that SES gives: a virus.
        yield "Email Rejected", "Reject", "reject", {"reason": "Bad content"}
    elif fault is Fault.MAILBOX_FULL:
        for address in email.destination:
            yield "Email Bounced", "Bounce", "bounce", _bounce(address, FULL, now)
    else:
        if fault is Fault.DELAY:
            delay = _delay(list(email.destination), now)
            yield "Email Delivery Delayed", "DeliveryDelay", "deliveryDelay", delay
        yield from _story(row, email)


def _story(row: Acceptance, email: Email) -> Iterator[Told]:
    mailboxes = {address: _mailbox(address) for address in email.destination}
    bounced = [address for address, mailbox in mailboxes.items() if mailbox in BOUNCES]
    delivered = [address for address in mailboxes if address not in bounced]
    complained = [address for address, mailbox in mailboxes.items() if mailbox == "complaint"]
    now = _timestamp(row.time)
    if delivered:
        yield "Email Delivered", "Delivery", "delivery", _delivery(delivered, now)
    for address in bounced:
        bounce = _bounce(address, BOUNCES[mailboxes[address]], now)
        yield "Email Bounced", "Bounce", "bounce", bounce
    if complained:
        yield "Email Complaint Received", "Complaint", "complaint", _complaint(complained, now)


def _mailbox(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return local.partition("+")[0].lower() if domain.lower() == SIMULATOR else ""


def _delivery(recipients: list[str], now: str) -> dict[str, Any]:
    return {
        "timestamp": now,
        "processingTimeMillis": 1,
        "recipients": recipients,
        "smtpResponse": "250 2.6.0 Message received",
        "reportingMTA": "a8-70.smtp-out.amazonses.com",
    }


def _delay(recipients: list[str], now: str) -> dict[str, Any]:
    recipient = {"status": "4.4.1", "diagnosticCode": "smtp; 421 4.4.1 unable to connect"}
    return {
        "timestamp": now,
        "delayType": "TransientCommunicationFailure",
        "expirationTime": now,
        "delayedRecipients": [{"emailAddress": address, **recipient} for address in recipients],
    }


def _bounce(address: str, bounce: tuple[str, str, str, str], now: str) -> dict[str, Any]:
    bounce_type, subtype, status, diagnostic = bounce
    recipient = {
        "emailAddress": address,
        "action": "failed",
        "status": status,
        "diagnosticCode": diagnostic,
    }
    return {
        "feedbackId": str(uuid.uuid4()),
        "bounceType": bounce_type,
        "bounceSubType": subtype,
        "bouncedRecipients": [recipient],
        "timestamp": now,
        "reportingMTA": "dns; amazonses.com",
    }


def _complaint(recipients: list[str], now: str) -> dict[str, Any]:
    return {
        "feedbackId": str(uuid.uuid4()),
        "complaintSubType": None,
        "complainedRecipients": [{"emailAddress": address} for address in recipients],
        "timestamp": now,
        "userAgent": "Amazon SES Mailbox Simulator",
        "complaintFeedbackType": "abuse",
        "arrivalDate": now,
    }


def _mail(row: Acceptance, email: Email) -> dict[str, Any]:
    headers = {
        "From": email.source,
        "To": ", ".join(email.destination),
        "Subject": email.subject,
        "MIME-Version": "1.0",
        **email.headers,
    }
    tags = {name: [value] for name, value in email.tags.items()}
    if email.configuration_set:
        tags["ses:configuration-set"] = [email.configuration_set]
    return {
        "timestamp": _timestamp(row.time),
        "source": email.source,
        "sourceArn": f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/{email.source}",
        "sendingAccountId": ACCOUNT,
        "messageId": row.message_id,
        "destination": list(email.destination),
        "headersTruncated": False,
        "headers": [{"name": name, "value": value} for name, value in headers.items()],
        "commonHeaders": {
            "from": [email.source],
            "to": list(email.destination),
            "messageId": row.message_id,
            "subject": email.subject,
        },
        "tags": tags,
    }


def _timestamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:23] + "Z"
