"""Agents as a recipe asks for them: a checkpoint's weights, a memory policy, the index, the images of the shards.

Holds the building only; what an agent does is ``model.agent.loop``.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase, Qwen3VLForConditionalGeneration

from assets.corpus.media import ShardMedia
from assets.index.published import corpora, open_index
from infra.storage.root import Storage
from model.agent.loop import Agent
from model.agent.memory.names import TRAINED
from model.agent.memory.registry import memory_policy
from model.agent.memory.session import MemoryPolicy
from model.agent.prompts import PROFILES
from model.config.limits import LIMITS
from model.policies.chat_template import PromptEncoder
from model.policies.families import family, family_of, linear_patch_embedding
from model.protocols import MediaSource, Policy, Retriever
from model.training import checkpoint
from model.types import Sampling
from orchestration.joins.adapters import IndexRetriever
from orchestration.recipes.options import Recipe

GREEDY = 0.0  # temperature


class LoadedCheckpoint(NamedTuple):
    """A loaded checkpoint."""

    model: Qwen3VLForConditionalGeneration
    tokenizer: PreTrainedTokenizerBase
    path: Path

    def encoder(self) -> PromptEncoder:
        """An encoder that cuts images as the model's family wants them."""
        return PromptEncoder(self.tokenizer, patching=family(self.model.config.model_type).patching)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What every agent of a run shares."""

    recipe: Recipe
    retriever: Retriever
    media: MediaSource

    @classmethod
    def open(cls, storage: Storage, recipe: Recipe, *, lockstep: bool = False) -> "RunContext":
        """The published index and the shards; ``ValueError`` if there is no index or the profile is unknown.

        ``lockstep`` makes searches repeatable, see ``IndexRetriever``.
        """
        if recipe.profile not in PROFILES:
            raise ValueError(f"unknown prompt profile {recipe.profile!r}; known: {', '.join(PROFILES)}")
        index = open_index(storage, reader=f"run {recipe.name}")
        return cls(
            recipe=recipe,
            retriever=IndexRetriever(index, lockstep=lockstep),
            media=ShardMedia(storage, corpora(storage, index.version)),
        )

    def agent(self, policy: Policy, memory: MemoryPolicy, *, temperature: float) -> Agent:
        """An agent over this index within the recipe's limits."""
        top_p = 1.0 if temperature > GREEDY else 0.95  # training needs the log-probabilities it samples from
        sampling = Sampling(temperature=temperature, top_p=top_p, max_tokens=self.recipe.max_tokens)
        limits = LIMITS[self.recipe.limits or self.recipe.profile]
        return Agent(policy=policy, retriever=self.retriever, memory=memory, limits=limits, sampling=sampling)

    def memory(self, name: str, encoder: PromptEncoder, *, training: bool = False) -> MemoryPolicy:
        """The memory policy of that name. In training every kept item gets the same pixels, so prompts do not depend on energies.

        Raises:
            ValueError: if there is none.
        """
        chosen_name = TRAINED if training and name == "vimrag" else name
        return memory_policy(
            chosen_name,
            profile=PROFILES[self.recipe.profile],
            count_tokens=lambda turns: len(encoder.encode(turns).ids),
        )


def load(path: Path, *, bf16: bool = False) -> LoadedCheckpoint:
    """Model and tokenizer of a checkpoint directory, nothing downloaded; the class is the one its ``config.json`` names.

    Raises:
        ValueError: if the checkpoint is not whole, or of no known family.
    """
    checkpoint.read(path)
    dtype = torch.bfloat16 if bf16 else torch.float32
    loaded = family_of(path).model_class.from_pretrained(path, dtype=dtype, local_files_only=True)
    tokenizer = cast(PreTrainedTokenizerBase, AutoTokenizer.from_pretrained(path, local_files_only=True))
    model = cast(Qwen3VLForConditionalGeneration, loaded)  # callers use what the families have in common
    return LoadedCheckpoint(linear_patch_embedding(model), tokenizer, path)


def best_checkpoint(folder: Path, *, what: str) -> Path:
    """The checkpoint with the best validation score below ``folder``, else the latest.

    Raises:
        ValueError: if there is none; ``what`` names the job that makes it.
    """
    path = checkpoint.best(folder) or checkpoint.latest(folder)
    if path is None:
        raise ValueError(f"no checkpoint in {folder}: run the job {what} first")
    return path
