"""Tests: on a real PostgreSQL, real processes and real HTTP."""
