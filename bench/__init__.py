"""What Dovecote does in a second, beside other queues on the same PostgreSQL."""
