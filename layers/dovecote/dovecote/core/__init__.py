"""Types and rules without I/O."""
