"""How the processes of ``orchestration.runs`` are started, told what to do and heard.

Loads neither torch nor the model: Dagster's code location imports it.
"""
