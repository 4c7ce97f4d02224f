"""The demo: events/ through the local stack, and what became of them."""
