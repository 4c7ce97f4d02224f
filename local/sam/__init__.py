"""Dovecote in Lambda's own images by `sam local`, on a local PostgreSQL and the local provider."""
