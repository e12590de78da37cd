"""The only place that wires: Dagster definitions over pure functions, recipes, and the entry points of the GPU work.

Nothing below ``orchestration.definitions`` imports torch; training and evaluation run as subprocesses of ``launch/``.
"""
