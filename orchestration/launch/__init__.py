"""Entry points of the GPU work, run as ``python -m orchestration.launch.<script> --config-json JSON``.

The only part of ``orchestration`` that may import torch. Each script also runs by hand: without Dagster it reports to the
console.
"""
