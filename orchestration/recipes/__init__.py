"""Runs as functions that return frozen data."""
