"""Send the claims of a batch: threads, send slots, requests, and the circuit breaker."""
