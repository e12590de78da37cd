"""The entry points, run as ``python -m orchestration.runs.<name> --config-json JSON`` and imported by nobody.

Without Dagster they report to the console.
"""
