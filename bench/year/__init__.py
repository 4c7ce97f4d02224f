"""Measure the cost of each operation as the tables grow to a year of production: `make year`."""
