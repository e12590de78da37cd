"""The words of servers: which refusals are about length, which about pictures, which about the way of answering."""

from __future__ import annotations

import pytest

from infra.llm import refusals
from infra.llm.errors import (
    EndpointUnavailableError,
    KeySource,
    NoPicturesError,
    PromptTooLongError,
    RequestRefusedError,
    ServerError,
    refusal,
)

KEY = KeySource("KEY", is_set=True)


def error(status: int, message: str, code: str = "", param: str = "", *, pictures: bool = True) -> Exception:
    return refusal("here", status, ServerError(message, code, param), KEY, sent_pictures=pictures)


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        # vLLM
        (400, "This model's maximum context length is 4096 tokens. However, your request has 5000 input tokens.", ""),
        (400, "The decoder prompt (length 21535) is longer than the maximum model length of 16384.", ""),
        (400, "The encoder prompt (length 900) is longer than the maximum model length of 512.", ""),
        (400, "Input length (9000) exceeds model's maximum context length (8192).", ""),
        (400, "At most 2 image(s) may be provided in one prompt.", ""),
        # SGLang
        (400, "Requested token count exceeds the model's maximum context length of 4096 tokens.", ""),
        (400, "The input (5000 tokens) is longer than the model's context length (4096 tokens).", ""),
        (400, "Multimodal prompt is too long after expanding multimodal tokens. 300 => 9000 >= 4096", ""),
        (400, "Input length (5000 tokens) exceeds the maximum allowed length (4091 tokens). Use a shorter input.", ""),
        # llama.cpp
        (400, "the request exceeds the available context size, try increasing it", "exceed_context_size_error"),
        (500, "the request exceeds the available context size. try increasing the context size", ""),
        (500, "input is too large to process. increase the physical batch size", ""),
        # Ollama, LM Studio
        (400, "prompt too long; exceeded max context length by 120 tokens", ""),
        (500, "the input length exceeds the context length", ""),
        (400, "Trying to keep the first 5000 tokens when context overflows; loaded with context length of 4096", ""),
        # OpenAI and hosted ones
        (400, "Your input exceeds the context window of this model. Please adjust your input and try again.", ""),
        (400, "whatever it says", "context_length_exceeded"),
        (400, "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.", ""),
        (429, "Request too large for gpt-4o on tokens per min (TPM): Limit 30000, Requested 40000.", "tokens"),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", ""),
        (400, "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", ""),
        (400, "Prompt contains 40000 tokens, too large for model with 32768 maximum context length", ""),
        (400, "InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]", ""),
        (400, "Please reduce the length of the messages or completion.", ""),
        (422, "`inputs` must have less than 512 tokens. Given: 600", ""),
        (413, "", ""),
    ],
)  # fmt: skip
def test_a_prompt_that_is_too_long_is_known_as_that_in_every_wording(status: int, message: str, code: str):
    assert isinstance(error(status, message, code), PromptTooLongError)


@pytest.mark.parametrize(
    ("status", "message", "param"),
    [
        (500, "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj", ""),
        (400, "At most 0 image(s) may be provided in one prompt.", ""),
        (400, "Some-7B-Instruct is not a multimodal model", ""),
        (400, "Invalid content type. image_url is only supported by certain models.", ""),
        (400, "messages[1]: unknown variant `image_url`, expected `text` at line 1 column 5142", ""),
        (404, "No endpoints found that support image input", ""),
        (400, "'messages.1' : 'content' : must be a string: content must be a string", ""),
        (422, "Input should be a valid string", "content"),
        (400, "Model does not support images. Please use a model that does.", ""),
        (500, "this model is missing data required for image input", ""),
        (400, "Image input is not enabled for this model", ""),
        (400, "This model does not support image inputs", ""),
        (501, "vision is not supported by the loaded model", ""),
    ],
)  # fmt: skip
def test_a_model_without_eyes_is_known_as_that_in_every_wording(status: int, message: str, param: str):
    assert isinstance(error(status, message, "", param), NoPicturesError)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (500, "CUDA error: an illegal memory access was encountered", EndpointUnavailableError),
        (503, "the model is still loading", EndpointUnavailableError),
        (429, "Rate limit reached, try again in 2 s", EndpointUnavailableError),
        (400, "Failed to load image: invalid base64", RequestRefusedError),
        (400, "the image is broken: unsupported image format", RequestRefusedError),
        (401, "too long without paying", RequestRefusedError),
        (400, "temperature must be at most 2", RequestRefusedError),
    ],
)
def test_other_refusals_are_taken_for_neither(status: int, message: str, kind: type[Exception]):
    assert type(error(status, message)) is kind


def test_the_longest_reply_that_fits_is_read_from_the_refusal():
    too_much = "This model's maximum context length is 4096 tokens and your request has 1000 input tokens"
    assert refusals.room_for_reply(f"'max_tokens' is too large: 4096. {too_much}") == 3096
    old = "maximum context length is 4096 tokens. However, you requested 5000 tokens (1000 in the messages, 4000 in the"
    assert refusals.room_for_reply(old) == 3096
    assert (
        refusals.room_for_reply("max_tokens is too large: 99999. It supports at most 16384 completion tokens")
        == 16384
    )
    assert refusals.room_for_reply(too_much.replace("1000", "4000")) is None  # too short a reply to be of use


def test_numbers_of_a_refusal_say_how_much_too_long_a_prompt_is():
    words = "The decoder prompt (length 21535) is longer than the maximum model length of 16384."
    assert refusals.stated_length(words) == (21535, 16384)
    assert refusals.stated_length("too long") == (0, 0)


@pytest.mark.parametrize(
    "words",
    [
        "parameter.enable_thinking must be set to false for non-streaming calls",
        "This model only support stream mode, please enable the stream parameter to access the model.",
        "Non-streaming requests are not supported by this model",
        "stream must be true",
    ],
)
def test_a_server_that_only_streams_is_known_by_its_words(words: str):
    assert refusals.wants_stream(words) or refusals.wants_no_thinking(words)
    assert not refusals.wants_no_stream(words)


def test_a_server_that_never_streams_is_known_by_its_words():
    for words in ("Your organization must be verified to stream this model.", "streaming is not supported"):
        assert refusals.wants_no_stream(words) and not refusals.wants_stream(words)
