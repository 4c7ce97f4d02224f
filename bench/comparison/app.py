"""The least that a function that stores and mails can do: what Dovecote's start is held against."""

import os
from typing import Any

import boto3
import psycopg

EMAIL = boto3.client("sesv2")
PUSH = boto3.client("sns")
DATABASE = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Store one row and send one email."""
    DATABASE.execute("insert into public.startup_comparison (body) values (%s)", [event["body"]])
    EMAIL.send_email(
        FromEmailAddress="dovecote@example.com",
        Destination={"ToAddresses": ["success+ann@simulator.amazonses.com"]},
        Content={
            "Simple": {
                "Subject": {"Data": "Stored"},
                "Body": {"Text": {"Data": "Stored"}, "Html": {"Data": "<p>Stored</p>"}},
            }
        },
    )
    return {"statusCode": 202}
