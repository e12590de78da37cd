"""The local policy against the plainest reading of its model: a request alone, a full forward pass."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace

import pytest
import torch
from PIL import Image

from memory_graph.actions import Answer, Mark, Memorize, Search, render
from model.agent import Agent
from model.encoding import Encoder, collate
from model.environment import MINIATURE_LIMITS
from model.fingerprint import of_policy, of_weights
from model.memory.vimrag import Vimrag
from model.prompts import COMPACT
from model.records import Hit, ImageRef, Message, Sampling, Task
from model.rollouts import Collection, collect
from model.scripted import ScriptedRetriever
from model.tiny.config import TinyShape, build_model
from model.tiny.tokenizer import build_tokenizer
from model.transformers_policy import TransformersPolicy, generate

SHAPE = TinyShape(
    width=48,
    layers=2,
    heads=2,
    feed_forward=64,
    vision_width=32,
    vision_layers=1,
    vision_heads=2,
    vision_feed_forward=32,
)
TASK = Task(id="t", dataset="d", question="who leads ba?", answers=("x",))
MIXED = [
    (1, 0),
    (5, 2),
    (2, 1),
    (9, 0),
    (3, 3),
]  # words and pictures of each prompt: lengths differ, some have no picture


class Swatches:
    """A picture of one colour for every item, another one for every second of a clip."""

    def image(self, item_id):
        return Image.new("RGB", (64, 64), (40 * int(item_id) % 256, 120, 30))

    def frame(self, item_id, timestamp_s):
        return Image.new("RGB", (64, 64), (40 * int(item_id) % 256, int(20 * timestamp_s) % 256, 200))


@pytest.fixture(scope="module")
def encoder():
    return Encoder(build_tokenizer(["ba", "ka", "lo", " who", " leads", " is"]))


@pytest.fixture(scope="module")
def model(encoder):
    torch.manual_seed(0)
    return build_model(encoder.tokenizer, SHAPE).eval()


def conversation(words, pictures):
    refs = tuple(ImageRef(item_id=str(number), width=64, height=32) for number in range(pictures))
    text = COMPACT.question + " who leads ba" * words
    return [Message(role="system", parts=(COMPACT.system,)), Message(role="user", parts=(text, *refs))]


def complete_all(policy, conversations, samplings):
    async def run():
        asked = zip(conversations, samplings, strict=True)
        return await asyncio.gather(*(policy.complete(c, sampling=s, task=TASK) for c, s in asked))

    return asyncio.run(run())


def forward_logprobs(model, encoder, completion):
    """Log-probabilities of the drawn tokens from one unpadded pass over prompt and tokens."""
    ids = [*completion.prompt_ids, *completion.token_ids]
    pixels = encoder.pixels(completion.images, Swatches())
    with torch.no_grad():
        inputs = collate([ids], [pixels], pad_id=encoder.pad_id, image_id=encoder.image_id)
        logprobs_LV = torch.log_softmax(model(**inputs).logits[0].float(), dim=-1)
    start = len(completion.prompt_ids) - 1
    return [logprobs_LV[start + place, token].item() for place, token in enumerate(completion.token_ids)]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_batch_gives_what_each_request_gives_alone(model, encoder, temperature):
    samplings = [
        Sampling(temperature=temperature, top_p=0.9, max_tokens=4 + 5 * n, seed=n) for n in range(len(MIXED))
    ]
    conversations = [conversation(*shape) for shape in MIXED]
    together = complete_all(TransformersPolicy(model, encoder, Swatches()), conversations, samplings)
    alone = complete_all(
        TransformersPolicy(model, encoder, Swatches(), max_batch=1), conversations, samplings
    )
    assert [c.token_ids for c in together] == [c.token_ids for c in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_logprobs_are_those_of_a_full_forward_pass_at_temperature_one(model, encoder, temperature):
    samplings = [Sampling(temperature=temperature, max_tokens=12, seed=n) for n in range(len(MIXED))]
    policy = TransformersPolicy(model, encoder, Swatches())
    for completion in complete_all(policy, [conversation(*shape) for shape in MIXED], samplings):
        assert completion.logprobs == pytest.approx(forward_logprobs(model, encoder, completion), abs=1e-4)


def test_greedy_tokens_are_the_most_likely_ones_of_a_full_forward_pass(model, encoder):
    (completion,) = complete_all(
        TransformersPolicy(model, encoder, Swatches()),
        [conversation(4, 2)],
        [Sampling(temperature=0, max_tokens=6)],
    )
    ids = list(completion.prompt_ids)
    pixels = encoder.pixels(completion.images, Swatches())
    for token in completion.token_ids:
        inputs = collate([ids], [pixels], pad_id=encoder.pad_id, image_id=encoder.image_id)
        assert int(model(**inputs).logits[0, -1].argmax()) == token
        ids.append(token)


def test_equal_seeds_draw_equally_and_other_seeds_do_not(model, encoder):
    policy = TransformersPolicy(model, encoder, Swatches())
    samplings = [Sampling(temperature=1.0, top_p=1.0, max_tokens=8, seed=seed) for seed in (1, 1, 2)]
    first, same, other = complete_all(policy, [conversation(2, 1)] * 3, samplings)
    assert first.token_ids == same.token_ids != other.token_ids


class FixedLogits(torch.nn.Module):
    """A model whose next token has the given probabilities, whatever came before."""

    def __init__(self, real, probabilities):
        super().__init__()
        self.real, self.config, self.device = real, real.config, real.device
        self.model = real.model
        self.logits = torch.full((real.config.text_config.vocab_size,), -1e9)
        for token, probability in probabilities.items():
            self.logits[token] = torch.tensor(probability).log()

    def forward(self, **inputs):
        output = self.real(**inputs)
        output.logits = self.logits.expand(output.logits.shape)
        return output


def draws(model, encoder, probabilities, sampling, number):
    prompt = encoder.encode(conversation(1, 0))
    samplings = [replace(sampling, seed=seed) for seed in range(number)]
    fixed = FixedLogits(model, probabilities)
    return generate(fixed, [prompt.ids] * number, [encoder.no_pixels()] * number, samplings, encoder=encoder)  # type: ignore[arg-type]


def test_the_nucleus_is_the_shortest_prefix_that_reaches_top_p(model, encoder):
    # 0.5 + 0.3 reach 0.7: the third token is never drawn, the first 0.5 / 0.8 = 62.5 % of the time
    drawn = draws(
        model,
        encoder,
        {300: 0.5, 301: 0.3, 302: 0.2},
        Sampling(temperature=1.0, top_p=0.7, max_tokens=1),
        800,
    )
    counts = [sum(each.token_ids == (token,) for each in drawn) for token in (300, 301, 302)]
    assert counts[2] == 0 and counts[0] / 800 == pytest.approx(0.625, abs=0.05)
    # the stored log-probability is that of the model, not of the nucleus
    assert {round(each.logprobs[0], 4) for each in drawn} == {-0.6931, -1.204}


def test_temperature_sharpens_the_draw(model, encoder):
    # at temperature 1/2 probabilities are squared: 0.64 / (0.64 + 0.04) = 94 %
    drawn = draws(
        model, encoder, {300: 0.8, 301: 0.2}, Sampling(temperature=0.5, top_p=1.0, max_tokens=1), 600
    )
    assert sum(each.token_ids == (300,) for each in drawn) / 600 == pytest.approx(0.941, abs=0.03)


def test_a_reply_ends_with_the_end_token_or_at_its_length(model, encoder):
    ended = draws(model, encoder, {encoder.eos_id: 1.0}, Sampling(temperature=0, max_tokens=5), 1)[0]
    assert ended.token_ids == (encoder.eos_id,)
    cut = draws(model, encoder, {300: 1.0}, Sampling(temperature=0, max_tokens=5), 1)[0]
    assert cut.token_ids == (300,) * 5


def test_a_batch_gathers_what_waits_and_the_event_loop_goes_on(model, encoder):
    sizes, threads, ticks = [], set(), 0

    class Watching(TransformersPolicy):
        def _generate(self, batch):
            sizes.append(len(batch))
            threads.add(threading.current_thread())
            time.sleep(0.05)
            return super()._generate(batch)

    async def run():
        nonlocal ticks
        policy = Watching(model, encoder, Swatches(), max_batch=4)
        sampling = Sampling(temperature=0, max_tokens=2)
        requests = [
            asyncio.create_task(policy.complete(conversation(1, 0), sampling=sampling, task=TASK))
            for _ in range(6)
        ]
        while not all(request.done() for request in requests):
            ticks += 1
            await asyncio.sleep(0.005)

    asyncio.run(run())
    assert sizes == [4, 2]
    assert ticks > 5 and threading.main_thread() not in threads and len(threads) == 1


def test_a_prompt_that_cannot_be_served_fails_alone(model, encoder):
    class NoPictureNine(Swatches):
        def image(self, item_id):
            if item_id == "9":
                raise KeyError(item_id)
            return super().image(item_id)

    bad = [Message(role="user", parts=(ImageRef(item_id="9", width=32, height=32),))]
    policy = TransformersPolicy(model, encoder, NoPictureNine())

    async def run():
        sampling = Sampling(temperature=0, max_tokens=2)
        asked = [
            policy.complete(c, sampling=sampling, task=TASK)
            for c in (conversation(1, 1), bad, conversation(2, 0))
        ]
        return await asyncio.gather(*asked, return_exceptions=True)

    good, failed, also_good = asyncio.run(run())
    assert isinstance(failed, KeyError)
    assert len(good.token_ids) == len(also_good.token_ids) == 2


def test_a_prompt_beyond_the_window_is_refused(model, encoder):
    policy = TransformersPolicy(model, encoder, Swatches(), max_prompt_tokens=8)
    with pytest.raises(ValueError, match="at most 8"):
        complete_all(policy, [conversation(9, 0)], [Sampling()])


def test_the_model_can_still_be_trained_after_generating(model, encoder):
    complete_all(
        TransformersPolicy(model, encoder, Swatches()), [conversation(1, 1)], [Sampling(max_tokens=2)]
    )
    prompt = encoder.encode(conversation(1, 1))
    inputs = collate(
        [prompt.ids],
        [encoder.pixels(prompt.images, Swatches())],
        pad_id=encoder.pad_id,
        image_id=encoder.image_id,
    )
    model(**inputs).logits.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    model.zero_grad(set_to_none=True)


def test_the_fingerprint_changes_with_any_weight_and_with_nothing_else(encoder):
    torch.manual_seed(1)
    model = build_model(encoder.tokenizer, SHAPE)
    policy = TransformersPolicy(model, encoder, Swatches())
    before = policy.fingerprint
    assert before == of_policy(model, encoder.tokenizer)
    state = model.state_dict()
    assert of_weights(state) == of_weights(dict(reversed(state.items())))
    with torch.no_grad():
        next(iter(model.parameters())).view(-1)[0] += 1e-6
    policy.refresh()
    assert policy.fingerprint != before


def test_rollouts_of_a_real_model_keep_the_segment_invariant(model, encoder):
    """Every call's prompt extends the prompt and the tokens of the call before it in its segment."""
    hits = [
        Hit(item_id="1", dataset="d", modality="image", title="ba", text="", width=64, height=64),
        Hit(
            item_id="2",
            dataset="d",
            modality="video",
            title="lo",
            text="",
            width=64,
            height=64,
            duration_s=4.0,
        ),
    ]
    script = [
        render(Search("n1", ("root",), "ba")),
        "lo",
        render(Memorize("n1", "lo", (Mark(1, True, 5), Mark(2, True, 2)))),
        render(Answer(("n1",), "lo")),
    ]

    class Forced(TransformersPolicy):
        """Real prompts and pixels, prepared tokens."""

        spoken = 0

        async def complete(self, messages, *, sampling, task):
            completion = await super().complete(messages, sampling=sampling, task=task)
            text = script[self.spoken]
            self.spoken += 1
            tokens = (*self._encoder.text_ids(text), self._encoder.eos_id)
            return replace(
                completion, text=text, token_ids=tokens, finish_reason="stop", logprobs=(0.0,) * len(tokens)
            )

    agent = Agent(
        policy=Forced(model, encoder, Swatches()),
        retriever=ScriptedRetriever({"ba": hits}),
        memory=Vimrag(profile=COMPACT, count_tokens=lambda messages: len(encoder.encode(messages).ids)),
        limits=MINIATURE_LIMITS,
        sampling=Sampling(temperature=0, max_tokens=2),
    )
    trajectory = asyncio.run(agent.run(TASK))
    assert [len(segment.calls) for segment in trajectory.segments] == [3, 1]
    for segment in trajectory.segments:
        for earlier, later in zip(segment.calls, segment.calls[1:], strict=False):
            shown = earlier.prompt_ids + earlier.token_ids
            assert later.prompt_ids[: len(shown)] == shown
            assert later.images[: len(earlier.images)] == earlier.images
    assert len(trajectory.segments[1].calls[0].images) == 5  # the page and four frames of the clip
    assert trajectory.counters.visual_tokens == 20 * 3  # 4 + 4 * 4 in the calls after the search


def test_many_rollouts_share_batches_and_do_not_depend_on_each_other(model, encoder):
    tasks = [replace(TASK, id=str(number), question="ba " * (number + 1)) for number in range(4)]

    def run(concurrency, max_batch):
        agent = Agent(
            policy=TransformersPolicy(model, encoder, Swatches(), max_batch=max_batch),
            retriever=ScriptedRetriever({}),
            memory=Vimrag(profile=COMPACT),
            limits=replace(MINIATURE_LIMITS, calls=4),
            sampling=Sampling(temperature=1.0, max_tokens=6),
        )
        return asyncio.run(collect(agent, tasks, Collection(group_size=2, concurrency=concurrency, seed=5)))

    def drawn(groups):
        return [[c.token_ids for s in t.segments for c in s.calls] for group in groups for t in group]

    assert drawn(run(8, 8)) == drawn(run(1, 1))
