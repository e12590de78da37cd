"""The methods of an evaluation: a memory policy with a checkpoint each, what they are called, and which are compared."""

from dataclasses import dataclass

from model.agent.memory.registry import MEMORIES, TRAINED


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One row of the table: ``checkpoint`` is ``cold_start`` or ``ggpo``, ``memory`` a memory policy."""

    checkpoint: str
    memory: str


_BASELINES = tuple(name for name in MEMORIES if name not in ("vimrag", TRAINED))
METHODS = {
    **{name: Method(checkpoint="cold_start", memory=name) for name in _BASELINES},
    "cold_start": Method(checkpoint="cold_start", memory="vimrag"),
    "ggpo": Method(checkpoint="ggpo", memory="vimrag"),
}
REFERENCE = "cold_start"  # what the spending of every other method is compared with
COMPARED = (*((name, REFERENCE) for name in _BASELINES), (REFERENCE, "ggpo"))
