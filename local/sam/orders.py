"""Orders to the provider that outlive it: those of demo.yaml fail more than one invocation."""

import json
from pathlib import Path

import msgspec

from local.provider import Provider
from local.provider.order import read_orders


def recall(provider: Provider, path: Path) -> None:
    """Give a provider the orders of an earlier one, with what is left of them."""
    for known in json.loads(path.read_text()) if path.exists() else []:
        for standing in provider.give(*read_orders(known["order"])):
            standing.used = known["used"]


def remember(provider: Provider, path: Path) -> None:
    """Write down the orders for the next provider."""
    orders = [
        {"used": standing.used, "order": msgspec.to_builtins(standing.order)}
        for standing in provider.orders
    ]
    path.write_text(json.dumps(orders, indent=1))
