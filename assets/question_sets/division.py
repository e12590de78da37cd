"""Dividing questions so that nothing that is measured was seen in training.

Questions that share evidence belong together: a gold item (or another of equal content), its document or film, or the very same
words. Such a group is on one side, whole. Pure functions of what is known of each question.
"""

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

from assets.question_sets.settings import QuestionSetSettings, Role, published_role

_NO_WORD = re.compile(r"\W+")


class Candidate(NamedTuple):
    """A question that can be used. ``evidence``: its gold items and the documents and films they are of."""

    id: str
    dataset: str
    split: str
    text: str
    evidence: frozenset[str]


class Division(NamedTuple):
    """The role of each question that has one, and why each other was left out."""

    roles: Mapping[str, Role]
    dropped: Mapping[str, str]


def divide(candidates: Sequence[Candidate], settings: QuestionSetSettings) -> Division:
    """Give each question a role; of a group with questions that measure, those to be trained on are left out.

    The order of ``candidates`` does not matter. Raises ``ValueError`` for a cut of a benchmark that has no questions.
    """
    if unknown := sorted(set(settings.cuts) - {each.dataset for each in candidates}):
        raise ValueError(f"a cut of {', '.join(unknown)}, of which there are no questions")
    groups = grouped(candidates)
    wanted = _wanted(candidates, groups, settings)
    measured = {groups[id_]: id_ for id_, role in sorted(wanted.items(), reverse=True) if role is Role.TEST}
    roles: dict[str, Role] = {}
    dropped: dict[str, str] = {}
    for each in candidates:
        role, group = wanted.get(each.id), groups[each.id]
        if role is None:
            dropped[each.id] = f"split {each.split!r} is left out"
        elif role is Role.TEST:
            roles[each.id] = role
        elif group in measured:
            dropped[each.id] = f"leak: shares evidence or words with {measured[group]}, which measures"
        else:
            roles[each.id] = role
    return Division(roles, dropped)


def grouped(candidates: Iterable[Candidate]) -> dict[str, str]:
    """Question -> the least id of its group."""
    joined: dict[str, str] = {}

    def root(id_: str) -> str:
        while joined[id_] != id_:
            joined[id_] = id_ = joined[joined[id_]]
        return id_

    first: dict[Hashable, str] = {}
    for each in candidates:
        joined[each.id] = each.id
        for shared in (("words", normalised(each.text)), *(("evidence", name) for name in each.evidence)):
            other = root(first.setdefault(shared, each.id))
            own = root(each.id)
            joined[max(own, other)] = min(own, other)
    return {id_: root(id_) for id_ in joined}


def normalised(text: str) -> str:
    """Words alone, in lower case: how the same question is recognised."""
    return _NO_WORD.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


def _wanted(
    candidates: Sequence[Candidate], groups: Mapping[str, str], settings: QuestionSetSettings
) -> dict[str, Role | None]:
    """The role by split or cut alone."""
    answered: dict[str, set[str]] = defaultdict(set)
    for each in candidates:
        answered[each.dataset].add(each.split)
    wanted: dict[str, Role | None] = {}
    for each in candidates:
        if (share := settings.cuts.get(each.dataset)) is not None:
            drawn = _draw(groups[each.id], settings.seed, "cut")
            wanted[each.id] = Role.TRAIN if drawn < share else Role.TEST
        else:
            wanted[each.id] = published_role(each.dataset, each.split, answered[each.dataset])
    validated = {each.dataset for each in candidates if wanted[each.id] is Role.VAL}
    trained = {
        groups[each.id]
        for each in candidates
        if wanted[each.id] is Role.TRAIN and each.dataset not in validated
    }
    validates = _validating(trained, settings)
    return {
        id_: Role.VAL if role is Role.TRAIN and groups[id_] in validates else role
        for id_, role in wanted.items()
    }


def _validating(trained: set[str], settings: QuestionSetSettings) -> set[str]:
    """The groups that choose between checkpoints: a share of them, at least one of two and more."""
    ordered = sorted(trained, key=lambda group: (_draw(group, settings.seed, "val"), group))
    count = round(settings.val_share * len(ordered))
    return set(ordered[: max(count, 1) if len(ordered) > 1 else 0])


def _draw(group: str, seed: int, what: str) -> float:
    """In [0, 1), of the group and the seed alone."""
    digest = hashlib.sha256(f"{seed}/{what}/{group}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64
