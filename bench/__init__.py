"""Measurements; nothing of them is deployed."""
