"""Credit assignments of other papers, as far as their equations could be read; only the credit differs from GSPO here.

All share GSPO's aggregation (mean of a segment's tokens, sum over segments, one denominator a question), so that nothing but
the advantage of a step is compared. Groups are of one question; a state is the exact prompt of a reply.

* ``gigpo``: GiGPO (arXiv 2505.10978), and its authors' code: ``A = A_episode + A_step`` with returns discounted by .95 a step,
  normalised among the steps of equal state (mean and sample deviation; 0 alone).
* ``graphgpo``: GraphGPO (arXiv 2605.26684, Eq. 4) with the values of a public reproduction: return ``.1 ** d`` with d the
  distance of the state that a step leads to from success in the graph of all the group's transitions, normalised among the
  steps of equal state, plus the episode's advantage. What cannot reach success lies one further than the furthest that can.
* ``spo``: SPO of MM-Doc-R1 (arXiv 2604.13579, section 3.2.2): ``A_i = R_i - sum_j w_ij R_j``, w the cosine of the trajectories'
  embeddings, normalised over the group. [ours] Embeddings are counts of words, since BGE-M3 is not at hand.
* ``fatal``: fatal-aware masking of OpenSearch-VL (arXiv 2605.05185): no token from the third of three refused replies in a row
  on; such a rollout's advantage is held at 0 or above. [ours] The run is completed by its third reply.

Left out: TAEC, whose equation could not be found.
"""

import math
from collections import Counter, defaultdict, deque
from collections.abc import Hashable, Mapping, Sequence

from model.audit.objectives import Objective
from model.audit.rollouts import Kind, Rollout, Step, Weights, num_segments

DISCOUNT, DECAY, EPSILON = 0.95, 0.1, 1e-6
FATAL_RUN = 3
SUCCESS = "success"


def _by_step(group: Sequence[Rollout], values: Sequence[Sequence[float]]) -> list[Weights]:
    """GSPO's aggregation of one advantage a step."""
    denominator = num_segments(group)
    found: list[Weights] = []
    for rollout, of_steps in zip(group, values, strict=True):
        sizes = rollout.segment_tokens
        found.append(
            tuple(
                (value / (denominator * sizes[step.segment]),) * step.tokens if step.tokens else ()
                for step, value in zip(rollout.steps, of_steps, strict=True)
            )
        )
    return found


def _normalised(values: Sequence[float]) -> list[float]:
    """Values less their mean over their sample deviation; 0 for one alone or for equal ones."""
    if len(values) < 2 or max(values) == min(values):
        return [0.0] * len(values)
    mean = math.fsum(values) / len(values)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return [(value - mean) / (deviation + EPSILON) for value in values]


def _within_states(group: Sequence[Rollout], returns: Sequence[Sequence[float]]) -> list[list[float]]:
    """Returns of steps, normalised among the steps of equal state."""
    places: dict[Hashable, list[tuple[int, int]]] = defaultdict(list)
    for row, rollout in enumerate(group):
        for column, step in enumerate(rollout.steps):
            places[step.state].append((row, column))
    result = [[0.0] * len(rollout.steps) for rollout in group]
    for alike in places.values():
        values = _normalised([returns[row][column] for row, column in alike])
        for (row, column), value in zip(alike, values, strict=True):
            result[row][column] = value
    return result


def _episode(group: Sequence[Rollout]) -> list[float]:
    return _normalised([rollout.trajectory.reward or 0.0 for rollout in group])


def _summed(group: Sequence[Rollout], by_state: Sequence[Sequence[float]]) -> list[Weights]:
    totals = [
        [episode + value for value in row] for episode, row in zip(_episode(group), by_state, strict=True)
    ]
    return _by_step(group, totals)


def gigpo(group: Sequence[Rollout]) -> list[Weights]:
    """See the head of this file."""
    returns = [
        [
            (rollout.trajectory.reward or 0.0) * DISCOUNT ** (len(rollout.steps) - 1 - place)
            for place in range(len(rollout.steps))
        ]
        for rollout in group
    ]
    return _summed(group, _within_states(group, returns))


def graphgpo(group: Sequence[Rollout]) -> list[Weights]:
    """See the head of this file."""
    distance = distances(group)
    returns = [[DECAY ** distance[target] for _, target in transitions(rollout)] for rollout in group]
    if not any(rollout.right for rollout in group):
        returns = [[0.0] * len(rollout.steps) for rollout in group]
    return _summed(group, _within_states(group, returns))


def transitions(rollout: Rollout) -> list[tuple[Hashable, Hashable]]:
    """State and next state of each step; the last one leads to success, or to an end of its own if the rollout is wrong."""
    states: list[Hashable] = [step.state for step in rollout.steps]
    end: Hashable = SUCCESS if rollout.right else ("end", rollout.number)
    return list(zip(states, [*states[1:], end], strict=True)) if states else []


def distances(group: Sequence[Rollout]) -> Mapping[Hashable, int]:
    """Steps from each state to success over the transitions that the group made."""
    edges = [edge for rollout in group for edge in transitions(rollout)]
    before: dict[Hashable, set[Hashable]] = defaultdict(set)
    for source, target in edges:
        before[target].add(source)
    found: dict[Hashable, int] = {SUCCESS: 0}
    queue: deque[Hashable] = deque([SUCCESS])
    while queue:
        state = queue.popleft()
        for earlier in before[state]:
            if earlier not in found:
                found[earlier] = found[state] + 1
                queue.append(earlier)
    beyond = max(found.values()) + 1
    return {state: found.get(state, beyond) for edge in edges for state in edge} | {SUCCESS: 0}


def spo(group: Sequence[Rollout]) -> list[Weights]:
    """See the head of this file."""
    vectors = [Counter(_words(rollout)) for rollout in group]
    rewards = [rollout.trajectory.reward or 0.0 for rollout in group]
    values: list[list[float]] = []
    for rollout, own, reward in zip(group, vectors, rewards, strict=True):
        alike = [_cosine(own, other) for other in vectors]
        baseline = math.fsum(a * r for a, r in zip(alike, rewards, strict=True)) / (math.fsum(alike) or 1.0)
        values.append([reward - baseline] * len(rollout.steps))
    return _by_step(group, values)


def _words(rollout: Rollout) -> list[str]:
    return [
        word
        for segment in rollout.trajectory.segments
        for call in segment.calls
        for word in call.text.casefold().split()
    ]


def _cosine(a: Counter[str], b: Counter[str]) -> float:
    dot = sum(count * b[word] for word, count in a.items())
    norm = math.sqrt(sum(count**2 for count in a.values()) * sum(count**2 for count in b.values()))
    return dot / norm if norm else 0.0


def fatal(group: Sequence[Rollout]) -> list[Weights]:
    """See the head of this file."""
    values: list[list[float]] = []
    for rollout in group:
        first = _fatal_step(rollout.steps)
        advantage = rollout.advantage if first is None else max(0.0, rollout.advantage)
        kept = len(rollout.steps) if first is None else first
        values.append([advantage if place < kept else 0.0 for place in range(len(rollout.steps))])
    return _by_step(group, values)


def _fatal_step(steps: Sequence[Step]) -> int | None:
    run = 0
    for place, step in enumerate(steps):
        run = run + 1 if step.kind is Kind.REFUSED else 0
        if run == FATAL_RUN:
            return place
    return None


PUBLISHED = {
    objective.name: objective
    for objective in (
        Objective(name="gigpo", source="arXiv 2505.10978", weigh=gigpo),
        Objective(name="graphgpo", source="arXiv 2605.26684, Eq. 4", weigh=graphgpo),
        Objective(name="spo", source="arXiv 2604.13579, section 3.2.2; words for BGE-M3", weigh=spo),
        Objective(name="fatal", source="arXiv 2605.05185, fatal-aware masking, K = 3", weigh=fatal),
    )
}
