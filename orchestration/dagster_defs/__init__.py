"""Everything that imports Dagster: assets, checks, jobs, resources."""
