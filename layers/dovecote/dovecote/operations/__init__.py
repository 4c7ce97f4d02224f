"""Find, redrive, watch and purge."""
