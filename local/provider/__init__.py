"""The provider: a small SES v2 and SNS that keeps a ledger and fails to order."""

from local.provider.app import Running, create_app, running, serving
from local.provider.journal import Journal
from local.provider.ledger import Acceptance, Attempt, Ledger
from local.provider.order import Fault, Order
from local.provider.provider import Provider

__all__ = [
    "Acceptance",
    "Attempt",
    "Fault",
    "Journal",
    "Ledger",
    "Order",
    "Provider",
    "Running",
    "create_app",
    "running",
    "serving",
]
