"""One program for each contender; all take the same orders and speak the same lines."""
