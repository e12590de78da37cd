"""Whether every piece of a run is there, in seconds and before any device hour: all faults at once, each with a remedy."""
