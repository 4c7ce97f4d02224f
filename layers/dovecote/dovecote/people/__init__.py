"""Devices, suppressions and erasure."""
