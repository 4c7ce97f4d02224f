"""The ways out: a batch of claims in, an outcome for each out."""
