"""Dovecote in Lambda's own images by `sam local`, on a local PostgreSQL and the local provider."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
