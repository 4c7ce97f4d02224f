"""The schema: migrations, the database users and their grants."""
