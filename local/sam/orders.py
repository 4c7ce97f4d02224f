"""Orders to the provider that outlive it: those of demo.yaml fail more than one invocation."""

import json
from pathlib import Path

import msgspec

from local.provider import Provider
from local.provider.order import read_orders


def recall(provider: Provider, path: Path) -> None:
    """Give a provider the orders of an earlier one, with what is left of them."""
    for known in json.loads(path.read_text()) if path.exists() else []:
        for channel_state in provider.give(*read_orders(known["order"])):
            channel_state.used = known["used"]


def remember(provider: Provider, path: Path) -> None:
    """Write down the orders for the next provider."""
    orders = [
        {"used": channel_state.used, "order": msgspec.to_builtins(channel_state.order)}
        for channel_state in provider.orders
    ]
    path.write_text(json.dumps(orders, indent=1))
