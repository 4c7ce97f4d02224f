"""Dovecote: notifications stored in PostgreSQL and delivered by SES and SNS."""
