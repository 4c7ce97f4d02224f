"""One program for each contender; all take the same four orders and speak the same lines."""
