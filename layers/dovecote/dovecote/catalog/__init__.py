"""Kinds and their templates."""
