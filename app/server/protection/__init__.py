"""Checks around every request: who may ask, how large a body may be, what is logged."""
