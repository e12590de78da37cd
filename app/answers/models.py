"""The model that is asked: a served one, reached by its address, or a checkpoint folder of this machine.

Holds the opening and what the rest of the program needs to know of a model. Heavy libraries are imported when one is opened.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.answers.served_client import ServedClient
from app.errors import UsageError
from infra.llm.client import ChatClient, probed
from infra.llm.types import ChatSettings
from infra.llm.usage import Prices
from model.agent.context import estimate_tokens
from model.agent.prompts import PROFILES, Profile
from model.protocols import MediaSource, Policy, Sight
from model.types import Message, Sampling

if TYPE_CHECKING:
    from orchestration.joins.agents import LoadedCheckpoint

KEY_VARIABLES = ("VIMRAG_API_KEY", "OPENAI_API_KEY")
ENDPOINT_TOKENS = 4096  # of one reply; models that think write long ones
ENDPOINT_TEMPERATURE = 0.6
UNLIMITED_S = 7 * 24 * 3600.0
WHOLE_FACTOR = 4  # times the longest silence, for a server that does not stream
TINY_PARAMETERS, TINY_TOKENS = 20_000_000, 96
LOCAL_TOKENS = 512  # of one reply of a checkpoint that does not say what it was trained with


class AnswerModel(ABC):
    """A model that can be asked: what a person calls it, the words of its prompts, and how its replies are drawn."""

    def __init__(self, name: str, profile: Profile, sampling: Sampling) -> None:
        self.name, self.profile, self.sampling = name, profile, sampling
        self._policy: tuple[MediaSource, Policy] | None = None

    def policy(self, media: MediaSource) -> Policy:
        """The model as a policy over these media, which is kept until others are asked for."""
        if self._policy is None or self._policy[0] is not media:
            self._policy = (media, self._new_policy(media))
        return self._policy[1]

    @property
    def sees(self) -> bool | None:
        """Whether it reads pictures; None as long as nobody has found out."""
        return True

    @property
    def sight(self) -> Sight | None:
        """Finds out whether it reads pictures; None where that needs no asking."""
        return None

    @abstractmethod
    def _new_policy(self, media: MediaSource) -> Policy: ...

    @abstractmethod
    def count_tokens(self, turns: Sequence[Message], /) -> int:
        """How long a prompt is for it."""

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """What so many tokens cost; None where nobody said."""
        return None

    async def close(self) -> None:
        """Let go of the policy, and of the connections where there are any."""
        self._policy = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """Which model is asked, and how."""

    model: str = ""
    """Its name at the endpoint, or a checkpoint folder where there is no endpoint."""
    endpoint: str = ""
    api_key: str | None = field(default=None, repr=False)
    max_tokens: int | None = None
    """Of one reply; None takes what fits the model."""
    temperature: float | None = None
    prices: Prices | None = None
    concurrency: int = 8
    """Requests under way at once."""
    timeout_s: float = 300.0
    """Longest silence of a served model; how long a whole reply takes is not limited."""
    asks_sight: bool = False
    """Whether a served model is asked, once, if it reads pictures."""
    profile: str = ""
    """Prompts and limits: ``compact`` for what was trained on the miniature, ``full`` for anything else; "" takes those that a
    checkpoint was trained with, and ``full`` for a served model."""

    @property
    def is_given(self) -> bool:
        """Whether any model was named."""
        return bool(self.model or self.endpoint)

    def require(self) -> None:
        """Raise ``UsageError`` if no model was named."""
        if not self.is_given:
            raise UsageError(
                "no model: give --endpoint URL (and --model NAME if it serves several), or --model FOLDER of a checkpoint"
            )

    def sampling(self, *, max_tokens: int, temperature: float) -> Sampling:
        """The sampling asked for, the given values where nothing was."""
        return Sampling(
            temperature=temperature if self.temperature is None else self.temperature,
            max_tokens=self.max_tokens or max_tokens,
        )


def key_of_environment() -> str | None:
    """The key of the endpoint; never taken from a command line, where other users can read it."""
    return next((key for name in KEY_VARIABLES if (key := os.environ.get(name, "").strip())), None)


def prices_of(text: str | None) -> Prices | None:
    """Prices from ``IN,OUT``, per million tokens.

    Raises:
        UsageError: if they are not two numbers.
    """
    if text is None:
        return None
    try:
        prompt, completion = (float(part) for part in text.split(","))
        return Prices(prompt=prompt, completion=completion)
    except ValueError as error:
        raise UsageError(
            f"--prices takes two numbers, of a million tokens read and written: 0.15,0.60; got {text!r}"
        ) from error


class ServedModel(AnswerModel):
    """A model behind an address."""

    def __init__(self, choice: ModelChoice, settings: ChatSettings) -> None:
        sampling = choice.sampling(max_tokens=ENDPOINT_TOKENS, temperature=ENDPOINT_TEMPERATURE)
        super().__init__(settings.model, PROFILES[choice.profile or "full"], sampling)
        self._prices, self._client = choice.prices, ChatClient(settings)
        self._served = ServedClient(self._client, asks=choice.asks_sight)

    @classmethod
    async def open(cls, choice: ModelChoice, *, probe: bool = True) -> ServedModel:
        """The model at the endpoint; with ``probe``, or where no model was named, the server has answered.

        Raises:
            EndpointError: if it is down, or if no model was named and it lists several or none.
        """
        settings = ChatSettings(
            base_url=choice.endpoint,
            model=choice.model,
            api_key=choice.api_key,
            concurrency=choice.concurrency,
            prices=choice.prices,
            stall_timeout_s=choice.timeout_s,
            timeout_s=UNLIMITED_S,
            total_timeout_s=UNLIMITED_S,
            whole_timeout_s=WHOLE_FACTOR * choice.timeout_s,
            retries_silence=False,
        )
        return cls(choice, await probed(settings) if probe or not choice.model else settings)

    def count_tokens(self, turns: Sequence[Message], /) -> int:
        """An estimate, for a server does not say."""
        return estimate_tokens(turns)

    def _new_policy(self, media: MediaSource) -> Policy:
        from model.policies.endpoint_policy import EndpointPolicy

        return EndpointPolicy(self._served, media, model=self.name)

    @property
    def sees(self) -> bool | None:
        """As found out."""
        return self._served.sees

    @property
    def sight(self) -> Sight:
        """Asks the model, once."""
        return self._served.sight

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """By the prices that were given."""
        return None if self._prices is None else self._prices.cost(prompt_tokens, completion_tokens)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


class LocalModel(AnswerModel):
    """A checkpoint in this process."""

    def __init__(self, choice: ModelChoice, weights: LoadedCheckpoint) -> None:
        recipe, tiny = _recipe_of(weights.path), _is_tiny(weights)
        trained_with = recipe.get("profile", "compact" if tiny else "full")
        profile = PROFILES.get(choice.profile or trained_with, PROFILES["full"])
        tokens = recipe.get("max_tokens", TINY_TOKENS if tiny else LOCAL_TOKENS)
        sampling = choice.sampling(max_tokens=tokens, temperature=0.0)
        super().__init__("/".join(weights.path.resolve().parts[-2:]), profile, sampling)
        self._weights, self._encoder = weights, weights.encoder()

    @classmethod
    def open(cls, choice: ModelChoice) -> LocalModel:
        """The checkpoint at the folder, or the best one below it.

        Raises:
            UsageError: if there is no such folder.
            ValueError: if it holds no whole checkpoint.
        """
        folder = Path(choice.model).expanduser()
        if not folder.is_dir():
            raise UsageError(
                f"no checkpoint folder at {choice.model!r}; for a served model give --endpoint URL as well"
            )
        from transformers.utils import logging

        from orchestration.joins.agents import best_checkpoint, load

        logging.disable_progress_bar()
        is_whole = (folder / "manifest.json").is_file()
        weights = load(folder if is_whole else best_checkpoint(folder, what="train_ggpo"))
        if _is_tiny(weights):
            import torch

            torch.set_num_threads(1)  # two wait for each other longer than they compute
        return cls(choice, weights)

    def count_tokens(self, turns: Sequence[Message], /) -> int:
        """Exactly."""
        return len(self._encoder.encode(turns).ids)

    def _new_policy(self, media: MediaSource) -> Policy:
        from model.policies.transformers_policy import TransformersPolicy

        # an encoder of its own keeps the patches of these media only
        return TransformersPolicy(self._weights.model, self._weights.encoder(), media)


def _is_tiny(weights: LoadedCheckpoint) -> bool:
    """Whether it is a model of the miniature's size, which knows its compact prompts only."""
    return sum(parameter.numel() for parameter in weights.model.parameters()) < TINY_PARAMETERS


def _recipe_of(path: Path) -> dict[str, Any]:
    """The recipe that a checkpoint of ours was trained by; empty for any other."""
    try:
        recipe = json.loads((path / "manifest.json").read_bytes())["params"]["recipe"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return recipe if isinstance(recipe, dict) else {}


async def open_model(choice: ModelChoice, *, probe: bool = True) -> AnswerModel:
    """The model that was chosen.

    Raises:
        UsageError: if none was.
        EndpointError: if its server is down.
    """
    choice.require()
    if choice.endpoint:
        return await ServedModel.open(choice, probe=probe)
    return LocalModel.open(choice)
