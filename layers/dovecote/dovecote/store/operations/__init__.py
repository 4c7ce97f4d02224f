"""The store of operations: finding, dead letters, the overview, gauges, retention."""
