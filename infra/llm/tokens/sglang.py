"""One SGLang server by token ids: the calls of ``client.py`` in SGLang's native interface.

Speaks ``/generate`` with ``input_ids`` and ``return_logprob``, and ``/get_model_info``; written after the native API and "SGLang
for RL Systems" (docs of 0.5). Prompts with pictures are refused: with ``input_ids`` and ``image_data`` the server expands
placeholders itself, and whether it then keeps our very tokens was not seen.
"""

from typing import Any

from infra.llm.errors import RequestRefusedError
from infra.llm.tokens.client import NEVER, TokenClient
from infra.llm.tokens.types import JSON, ProcessedImage, TokenPrompt, TokenReply

GENERATE, MODEL_INFO = "/generate", "/get_model_info"
WANTED = "SGLang's native interface serves it"


class SglangClient(TokenClient):
    """A client of one SGLang server; errors as ``TokenClient``'s."""

    async def generate(self, model: str, prompt: TokenPrompt) -> TokenReply:
        """What the served model draws after ``prompt``; a server has one model, so ``model`` names it for us only."""
        if prompt.images:
            raise RequestRefusedError(f"{self.where}: prompts with pictures go to vLLM servers")
        return self._native_reply(await self.post(GENERATE, sglang_body(prompt)))

    async def render(self, model: str, uri: str) -> ProcessedImage:
        """Refused: SGLang has no such call."""
        raise RequestRefusedError(
            f"{self.where}: SGLang renders no pictures; prompts with pictures go to vLLM servers"
        )

    async def models(self) -> list[str]:
        """The one model's path, and the name it is served under if the server tells."""
        answer = await self.get(MODEL_INFO)
        names = (
            [answer.get("served_model_name"), answer.get("model_path")] if isinstance(answer, dict) else []
        )
        return [str(name) for name in names if name]

    def _native_reply(self, answer: Any) -> TokenReply:
        try:
            facts = answer["meta_info"]
            scored = [(float(value), int(token)) for value, token, *_ in facts["output_token_logprobs"]]
            reason = (facts.get("finish_reason") or {}).get("type", "stop")
            token_ids = answer.get("output_ids") or [token for _, token in scored]
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RequestRefusedError(
                f"{self.where}: an answer without tokens and log-probabilities; {WANTED}"
            ) from None
        if reason == "abort":
            raise RequestRefusedError(f"{self.where}: the request was aborted by the server")
        if [token for _, token in scored] != list(token_ids):
            raise RequestRefusedError(
                f"{self.where}: log-probabilities stand beside other tokens than were drawn"
            )
        content = [{"token": f"token_id:{token}", "logprob": value} for value, token in scored]
        choice = {"token_ids": list(token_ids), "finish_reason": reason, "logprobs": {"content": content}}
        return self._reply({"choices": [choice]})


def sglang_body(prompt: TokenPrompt) -> JSON:
    """The request for one reply: the end token alone ends it and is part of it."""
    options = prompt.options
    sampling: dict[str, Any] = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        "max_new_tokens": options.max_tokens,
        "ignore_eos": True,
        "stop_token_ids": [prompt.eos_id],
        "no_stop_trim": True,
        "skip_special_tokens": False,
        "logit_bias": {str(token): NEVER for token in prompt.forbidden_ids},
    }
    if options.seed is not None:
        sampling["sampling_seed"] = options.seed
    return {"input_ids": list(prompt.token_ids), "sampling_params": sampling, "return_logprob": True}
