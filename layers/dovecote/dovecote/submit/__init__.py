"""Store a notification with its routes."""
