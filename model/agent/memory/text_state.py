"""What the policies with a text state share: the state travels as the summary, is rewritten whole, and is bounded.

Wire form [ours]: the three actions and their JSON are those of every policy. The ``summary`` of a ``memorize`` is the whole new
state; marks are judged as ever, so that retrieval, citations and credit are scored alike, but decide nothing of what is
shown. Who states no parents rests on the node before.
"""

from model.agent.environment import Environment


def bounded(state: str, environment: Environment) -> str:
    """The state cut to the length of one passage; a cut is counted as a repair."""
    most = environment.limits.passage_chars
    if len(state) > most:
        environment.count_repairs(1)
    return state[:most]
