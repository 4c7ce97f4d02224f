"""The page: what the stack does, as it does it, and buttons that break things."""
