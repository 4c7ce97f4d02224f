"""Runs of dispatch: what each kind of run does, and how many a backlog needs."""
