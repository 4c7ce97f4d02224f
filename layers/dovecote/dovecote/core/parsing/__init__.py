"""Parse and check what comes from outside: JSON, query strings, ids, addresses, settings."""
