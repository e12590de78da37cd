"""The servers of a run: the judge grades, those that roll out answer and read pictures, the teacher answers."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping

from infra.errors import EndpointError
from infra.llm.client import ChatClient
from infra.llm.sight import probe_sight
from infra.llm.types import ChatSettings
from model.evaluation.judge import JudgeGrader
from model.types import Task
from orchestration.joins.grading import API_KEY, ENDPOINT, MODEL
from orchestration.preflight.types import Check
from orchestration.recipes.options import Recipe

ASKED_S = 6.0  # a server; all are asked at once
KNOWN = Task(
    id="preflight",
    dataset="preflight",
    question="How many legs has a spider?",
    answers=("eight",),
    kind="text",
)


async def server_checks(recipe: Recipe, environment: Mapping[str, str] = os.environ) -> tuple[Check, ...]:
    """Every server that the recipe or the environment names, asked at once."""
    asked: list[Awaitable[Check]] = [_judge(recipe, environment)]
    if (served := recipe.ggpo.served) is not None:
        for url in served.servers:
            settings = _settings(url, served.model, environment.get("VIMRAG_API_KEY"))
            asked.append(
                _within(
                    f"rollouts: {url}",
                    settings,
                    _sees,
                    "start the server, or correct its address in the recipe",
                )
            )
    if (teacher := recipe.cold_start.teacher) is not None:
        settings = _settings(teacher.endpoint, teacher.model, environment.get("VIMRAG_TEACHER_API_KEY"))
        asked.append(
            _within(
                f"teacher: {teacher.endpoint}",
                settings,
                _sees,
                "start the teacher's server, or correct its address",
            )
        )
    return tuple(await asyncio.gather(*asked))


async def _judge(recipe: Recipe, environment: Mapping[str, str]) -> Check:
    wanted, url = recipe.requires.judge_model, environment.get(ENDPOINT, "")
    if not url:
        if wanted is None:
            return Check(
                name="judge", passed=True, detail="none asked for: the benchmarks' own metrics grade"
            )
        remedy = f"export {ENDPOINT}=http://HOST:PORT/v1 (and {MODEL}, {API_KEY})"
        return Check(
            name="judge",
            passed=False,
            detail=f"the recipe wants one and {ENDPOINT} names none",
            remedy=remedy,
        )
    model = environment.get(MODEL, "")
    if wanted and model and model != wanted:
        detail = f"{MODEL} is {model!r}, the recipe's verdicts are those of {wanted!r}"
        return Check(name="judge", passed=False, detail=detail, remedy=f"export {MODEL}={wanted}")
    settings = _settings(url, model or wanted or "", environment.get(API_KEY))
    return await _within(
        "judge", settings, _grades, f"start the judge's server, or correct {ENDPOINT} and {MODEL}"
    )


def _settings(url: str, model: str, key: str | None) -> ChatSettings:
    return ChatSettings(
        base_url=url, model=model, api_key=key or None, retries=1, timeout_s=ASKED_S, total_timeout_s=ASKED_S
    )


async def _within(
    name: str, settings: ChatSettings, ask: Callable[[ChatClient, str], Awaitable[Check]], remedy: str
) -> Check:
    """What ``ask`` finds out in time."""
    client = ChatClient(settings)
    try:
        async with asyncio.timeout(ASKED_S):
            return await ask(client, name)
    except TimeoutError:
        return Check(
            name=name,
            passed=False,
            detail=f"{settings.base_url} did not answer within {ASKED_S:g} s",
            remedy=remedy,
        )
    except (EndpointError, ValueError) as error:
        return Check(name=name, passed=False, detail=" ".join(str(error).split()), remedy=remedy)
    finally:
        await client.close()


async def _grades(client: ChatClient, name: str) -> Check:
    """It tells a right answer from a wrong one."""
    judge = JudgeGrader(client, model=await client.model())
    right, wrong = await judge.grade(KNOWN, "eight legs"), await judge.grade(KNOWN, "two")
    if (right, wrong) == (True, False):
        return Check(name=name, passed=True, detail=f"{judge.fingerprint} tells right from wrong")
    said = {True: "right", False: "wrong", None: "nothing"}
    detail = f"{judge.fingerprint} calls a right answer {said[right]} and a wrong one {said[wrong]}"
    return Check(
        name=name, passed=False, detail=detail, remedy="serve a model that grades: see docs/evaluation.md"
    )


async def _sees(client: ChatClient, name: str) -> Check:
    """It answers, and names the two colours of a picture."""
    model = await client.model()
    served = await client.models()
    if model not in served:
        detail, remedy = (
            f"it serves {', '.join(served) or 'nothing'}, not {model!r}",
            "correct the model in the recipe",
        )
        return Check(name=name, passed=False, detail=detail, remedy=remedy)
    sight = await probe_sight(client)
    if sight.sees:
        return Check(name=name, passed=True, detail=sight.detail)
    remedy = "serve a vision-language model under that name"
    return Check(name=name, passed=False, detail=sight.detail, remedy=remedy)
