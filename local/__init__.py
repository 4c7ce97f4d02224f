"""The local stack: the unmodified template on one machine, and the AWS that it talks to."""
