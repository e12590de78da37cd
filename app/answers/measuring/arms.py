"""Agents for the arms of an evaluation."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from app.answers.agent import open_agent
from app.answers.corpus_handle import Snapshot
from app.answers.models import AnswerModel
from assets.index.published import open_index
from infra.storage.root import Storage
from infra.vector_stores.fusion import HybridSettings
from model.agent.loop import Agent
from orchestration.joins.adapters import IndexRetriever
from orchestration.study.arms import Arm, RetrieverKind

SETTINGS: Mapping[RetrieverKind, HybridSettings] = {
    RetrieverKind.HYBRID: HybridSettings(),
    RetrieverKind.WORDS: HybridSettings(meaning_weight=0.0, looks_weight=0.0),
    RetrieverKind.MEANING: HybridSettings(text_weight=0.0, looks_weight=0.0),
}


class Opener(Protocol):
    """Opens agents for arms."""

    def open(self, arm: Arm) -> Agent:
        """The agent of the arm."""
        ...


class ArmOpener:
    """Opens agents over one root and one model; arms of one retriever share it, with all it has cached."""

    def __init__(self, storage: Storage, snapshot: Snapshot, model: AnswerModel) -> None:
        self._storage, self._snapshot, self._model = storage, snapshot, model
        self._retrievers = {RetrieverKind.HYBRID: snapshot.retriever}

    def open(self, arm: Arm) -> Agent:
        """The agent; it takes replies as they come, for nobody reads along.

        Raises:
            UsageError: if there is no such memory policy.
            ValueError: if its limits are out of range.
        """
        agent = open_agent(self._snapshot, self._model, arm.memory)
        changes: dict[str, Any] = dict(arm.limits)
        return replace(
            agent,
            for_reader=False,
            limits=replace(agent.limits, **changes),
            retriever=self._retriever(arm.retriever),
        )

    def _retriever(self, kind: RetrieverKind) -> IndexRetriever:
        if kind not in self._retrievers:
            index = open_index(self._storage, reader="vimrag evaluate", settings=SETTINGS[kind])
            self._retrievers[kind] = IndexRetriever(index)
        return self._retrievers[kind]
