"""The store of people: devices, suppressions, erasure."""
