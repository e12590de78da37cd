"""The entry points that Dagster launches. Imported by nobody."""
