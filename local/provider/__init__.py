"""The provider: a small SES v2 and SNS that keeps a ledger and fails to order."""

from local.provider.app import create_app
from local.provider.journal import Journal, JournalError
from local.provider.ledger import Acceptance, Attempt, Ledger
from local.provider.order import Fault, Order
from local.provider.provider import Provider
from local.provider.thread import Running, running, serving

__all__ = [
    "Acceptance",
    "Attempt",
    "Fault",
    "Journal",
    "JournalError",
    "Ledger",
    "Order",
    "Provider",
    "Running",
    "create_app",
    "running",
    "serving",
]
