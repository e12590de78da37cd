"""The local policy against the plainest reading of its model: a request alone, a full forward pass."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from dataclasses import replace

import pytest
import torch
from PIL import Image

from memory_graph.actions import Answer, Mark, Memorize, Search, render
from memory_graph.graph import Modality
from model.agent.loop import Agent
from model.agent.memory.vimrag import Vimrag
from model.agent.prompts import COMPACT
from model.config.limits import MINIATURE_LIMITS
from model.imitation.tiny.shape import TinyShape, build_model
from model.imitation.tiny.tokenizer import build_tokenizer
from model.policies import transformers_policy
from model.policies.chat_template import QWEN2_5_VL, PromptEncoder, collate
from model.policies.decoding import GenerationRequest, generate
from model.policies.fingerprint import policy_fingerprint, weights_fingerprint
from model.policies.sampling import RowState
from model.policies.transformers_policy import TransformersPolicy
from model.protocols import StreamingPolicy
from model.rl.rollouts import RolloutPlan, run_rollouts
from model.rl.segments import SampleKey, TrainingSample, segment_tokens
from model.training.batches import InputBuilder
from model.types import Call, Hit, ImageRef, Message, PolicyRequest, Role, Sampling, Segment, Task
from tests.model.scripted import ScriptedRetriever

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
    return PromptEncoder(build_tokenizer(["ba", "ka", "lo", " who", " leads", " is"]))


@pytest.fixture(scope="module")
def model(encoder):
    torch.manual_seed(0)
    return build_model(encoder.tokenizer, SHAPE).eval()


def conversation(words, pictures):
    refs = tuple(ImageRef(item_id=str(number), width=64, height=32) for number in range(pictures))
    text = COMPACT.question + " who leads ba" * words
    return (Message(role=Role.SYSTEM, parts=(COMPACT.system,)), Message(role=Role.USER, parts=(text, *refs)))


def asked(messages, sampling=None):
    return PolicyRequest(messages=tuple(messages), task=TASK, sampling=sampling or Sampling())


def complete_all(policy, conversations, samplings):
    async def run():
        requests = map(asked, conversations, samplings)
        return await asyncio.gather(*map(policy.complete, requests))

    return asyncio.run(run())


def forward_logprobs(model, encoder, completion, *, temperature=1.0):
    """Log-probabilities of the drawn tokens from one unpadded pass over prompt and tokens."""
    ids = [*completion.prompt_ids, *completion.token_ids]
    pixels = encoder.pixels(completion.images, Swatches())
    with torch.no_grad():
        inputs = collate([ids], [pixels], pad_id=encoder.pad_id, image_id=encoder.image_id)
        logprobs_LV = torch.log_softmax(model(**inputs).logits[0].float() / temperature, dim=-1)
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


def test_the_generator_and_the_trainer_see_prompts_of_the_same_length(model, encoder):
    # the 40 longest of 60 prompts with two to six pictures of several sizes; lengths and places as the model gets them
    rng = random.Random(0)

    def mixed():
        sides = (32, 64, 96)
        refs = [
            ImageRef(item_id=str(rng.randint(20, 29)), width=rng.choice(sides), height=rng.choice(sides))
            for _ in range(rng.randint(2, 6))
        ]
        parts = [part for ref in refs for part in (" who leads ba" * rng.randint(0, 12), ref)]
        return [
            Message(role=Role.SYSTEM, parts=(COMPACT.system,)),
            Message(role=Role.USER, parts=tuple(parts)),
        ]

    conversations = [mixed() for _ in range(60)]
    generated_from = []

    def seen(_, args, kwargs):
        ids, mask = kwargs["input_ids"], kwargs["attention_mask"]
        if ids.shape[1] > 1:  # prompts; afterwards one token a row
            generated_from.extend(
                zip(mask.sum(1).tolist(), (ids == encoder.image_id).sum(1).tolist(), strict=True)
            )

    hook = model.register_forward_pre_hook(seen, with_kwargs=True)
    samplings = [Sampling(temperature=1.0, max_tokens=2, seed=number) for number in range(60)]
    completions = complete_all(TransformersPolicy(model, encoder, Swatches()), conversations, samplings)
    hook.remove()
    trained_on = []
    for number, done in enumerate(completions):
        call = Call(
            prompt_ids=done.prompt_ids, token_ids=done.token_ids, logprobs=done.logprobs, images=done.images
        )
        found = segment_tokens(Segment(node_id=None, calls=(call,)))
        sample = TrainingSample(key=SampleKey("q", number, 0), old_logprobs=done.logprobs, **found._asdict())
        inputs = InputBuilder(encoder=encoder, media=Swatches()).build((sample,), {sample.key: 1.0}).inputs
        places = int((inputs["input_ids"] == encoder.image_id).sum())
        trained_on.append((int(inputs["attention_mask"].sum()) - len(done.token_ids), places))
    assert sorted(trained_on)[-40:] == sorted(generated_from)[-40:]
    assert min(places for _, places in sorted(trained_on)[-40:]) >= 2


@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_logprobs_are_those_of_the_distribution_that_was_drawn_from(model, encoder, temperature):
    samplings = [Sampling(temperature=temperature, max_tokens=12, seed=n) for n in range(len(MIXED))]
    policy = TransformersPolicy(model, encoder, Swatches())
    for completion in complete_all(policy, [conversation(*shape) for shape in MIXED], samplings):
        expected = forward_logprobs(model, encoder, completion, temperature=temperature or 1.0)
        assert completion.logprobs == pytest.approx(expected, abs=1e-4)


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
    requests = [
        GenerationRequest(RowState(replace(sampling, seed=seed)), prompt, encoder.no_pixels())
        for seed in range(number)
    ]
    return generate(FixedLogits(model, probabilities), requests, encoder=encoder)  # type: ignore[arg-type]


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


class Watched:
    """The forward passes of a model: rows, tokens a row, and the thread; ``slow_s`` makes each last."""

    def __init__(self, model, slow_s=0.0):
        self.prompts, self.steps, self.threads = [], [], set()
        self._slow_s = slow_s
        self._hook = model.model.language_model.register_forward_pre_hook(self._see, with_kwargs=True)

    def _see(self, _module, _arguments, named):
        rows, tokens, _ = named["inputs_embeds"].shape
        (self.prompts if tokens > 1 else self.steps).append(rows)
        self.threads.add(threading.current_thread())
        time.sleep(self._slow_s)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._hook.remove()


def ask(policy, words, tokens, pictures=0, **options):
    sampling = Sampling(**({"temperature": 0, "max_tokens": tokens} | options))
    return asyncio.create_task(policy.complete(asked(conversation(words, pictures), sampling)))


class Endless(PromptEncoder):
    """No token ends a reply, so that lengths are known."""

    @property
    def eos_id(self):
        return -1


def without_end(encoder):
    return Endless(encoder.tokenizer)


def test_a_batch_gathers_what_waits_and_the_event_loop_goes_on(model, encoder):
    ticks = 0

    async def run():
        nonlocal ticks
        policy = TransformersPolicy(model, encoder, Swatches(), max_batch=4)
        requests = [ask(policy, words=1 + n % 2, tokens=1) for n in range(6)]
        while not all(request.done() for request in requests):
            ticks += 1
            await asyncio.sleep(0.005)

    with Watched(model, slow_s=0.05) as watched:
        asyncio.run(run())
    # four of six fit: two different prompts, each computed once; then the other two
    assert watched.prompts == [2, 2] and not watched.steps
    assert ticks > 5 and len(watched.threads) == 1 and threading.main_thread() not in watched.threads


def test_a_request_joins_a_running_batch_and_ends_before_it(model, encoder):
    async def run():
        policy = TransformersPolicy(model, endless, Swatches())
        long = ask(policy, words=2, tokens=40)
        while len(watched.steps) < 3:
            await asyncio.sleep(0.001)
        assert len((await ask(policy, words=3, tokens=2)).token_ids) == 2
        assert not long.done()
        assert len((await long).token_ids) == 40

    endless = without_end(encoder)
    with Watched(model, slow_s=0.01) as watched:
        asyncio.run(run())
    assert watched.prompts == [1, 1] and 2 in watched.steps
    assert len(watched.steps) == 39  # one for each token but the first: joining cost the other no step


@pytest.mark.parametrize(("limits", "most"), [({"max_batch": 3}, 3), ({"cache_tokens": 176}, 2)])
def test_the_batch_keeps_within_its_rows_and_the_tokens_of_its_cache(model, encoder, limits, most):
    prompt = len(encoder.encode(conversation(8, 0)).ids)
    assert 2 * (prompt + 40) <= 176 < 3 * (prompt + 20)

    async def run():
        policy = TransformersPolicy(model, without_end(encoder), Swatches(), **limits)
        return await asyncio.gather(*(ask(policy, words=8, tokens=20 + 4 * n) for n in range(6)))

    with Watched(model) as watched:
        assert [len(each.token_ids) for each in asyncio.run(run())] == [20, 24, 28, 32, 36, 40]
    assert max(watched.steps) == most


def test_a_single_request_beyond_the_cache_is_served_alone(model, encoder):
    async def run():
        policy = TransformersPolicy(model, encoder, Swatches(), cache_tokens=8)
        return await asyncio.gather(*(ask(policy, words=n, tokens=3) for n in (1, 2)))

    with Watched(model) as watched:
        assert all(each.token_ids for each in asyncio.run(run()))
    assert set(watched.steps) <= {1}


def test_a_cancelled_request_leaves_the_batch_at_the_next_step(model, encoder):
    async def run():
        policy = TransformersPolicy(model, without_end(encoder), Swatches(), max_batch=2)
        cancelled, kept = ask(policy, words=1, tokens=400), ask(policy, words=2, tokens=60)
        waiting, gone = ask(policy, words=3, tokens=5), ask(policy, words=4, tokens=5)
        while not watched.steps:
            await asyncio.sleep(0.001)
        gone.cancel()  # it still waits
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert len((await waiting).token_ids) == 5  # it takes the place that is free now
        assert not kept.done()
        return await kept

    with Watched(model, slow_s=0.005) as watched:
        assert len(asyncio.run(run()).token_ids) == 60
    assert len(watched.steps) == 59  # the cancelled one would have taken 399
    assert watched.prompts == [2, 1]


def test_a_policy_goes_on_after_a_loop_that_was_closed_on_its_requests(model, encoder, monkeypatch):
    monkeypatch.setattr(transformers_policy, "IDLE_TURNS", 50)  # so that the loop is closed before it starts
    policy = TransformersPolicy(model, without_end(encoder), Swatches())

    async def impatient(patience_s):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(policy, words=1, tokens=10_000), timeout=patience_s)

    async def run():
        return await ask(policy, words=1, tokens=4)

    loop = asyncio.new_event_loop()
    waiting = loop.create_task(policy.complete(asked(conversation(1, 0))))
    loop.run_until_complete(asyncio.sleep(0))
    waiting.cancel()
    loop.run_until_complete(asyncio.gather(waiting, return_exceptions=True))
    assert policy._starter is loop
    loop.close()
    assert len(asyncio.run(run()).token_ids) == 4
    asyncio.run(impatient(0.1))
    assert len(asyncio.run(run()).token_ids) == 4


def test_an_error_of_the_model_reaches_the_rows_it_hit_and_later_requests_are_served(model, encoder):
    class Faulty(RuntimeError):
        pass

    def fail_once(_module, _arguments, named):
        if named["inputs_embeds"].shape[1] == 1 and not failures:
            failures.append(1)
            raise Faulty("out of memory")

    async def run():
        policy = TransformersPolicy(model, without_end(encoder), Swatches(), max_batch=2)
        replies = [ask(policy, words=n, tokens=4) for n in (1, 2, 3)]
        return await asyncio.gather(*replies, return_exceptions=True)

    failures: list[int] = []
    hook = model.model.language_model.register_forward_pre_hook(fail_once, with_kwargs=True)
    try:
        one, other, later = asyncio.run(run())
    finally:
        hook.remove()
    assert isinstance(one, Faulty) and isinstance(other, Faulty)
    assert len(later.token_ids) == 4


def test_a_thread_that_dies_fails_every_request_with_its_error_and_the_next_one_is_served(model, encoder):
    def die(*_):
        raise SystemExit("the machine is going down")

    async def run():
        policy = TransformersPolicy(model, encoder, Swatches(), max_batch=1)
        hook = model.model.language_model.register_forward_pre_hook(die)
        replies = [ask(policy, words=n, tokens=4) for n in (1, 2)]
        lost = await asyncio.gather(*replies, return_exceptions=True)
        hook.remove()
        return lost, await ask(policy, words=1, tokens=1)

    lost, served = asyncio.run(run())
    assert all(isinstance(each, RuntimeError) and "the machine is going down" in str(each) for each in lost)
    assert len(served.token_ids) == 1


def heard(policy, messages, sampling):
    async def run():
        return [each async for each in policy.stream(asked(messages, sampling))]

    return asyncio.run(run())


def test_a_stream_gives_the_reply_in_pieces_and_the_same_completion_last(model, encoder):
    policy = TransformersPolicy(model, encoder, Swatches())
    assert isinstance(policy, StreamingPolicy)
    for seed in range(6):
        sampling = Sampling(temperature=1.0, top_p=1.0, max_tokens=24, seed=seed)
        *pieces, last = heard(policy, conversation(3, 1), sampling)
        (whole,) = complete_all(policy, [conversation(3, 1)], [sampling])
        assert last == whole and "".join(pieces) == whole.text
        assert len(pieces) > 1 and all(pieces)


def test_a_stream_that_is_left_early_frees_its_place(model, encoder):
    async def run():
        policy = TransformersPolicy(model, without_end(encoder), Swatches(), max_batch=1)
        sampling = Sampling(temperature=1.0, max_tokens=1000, seed=1)
        stream = policy.stream(asked(conversation(1, 0), sampling))
        assert isinstance(await anext(stream), str)
        await stream.aclose()
        return await ask(policy, words=2, tokens=3)

    with Watched(model) as watched:
        assert len(asyncio.run(run()).token_ids) == 3
    assert len(watched.steps) < 200


def test_a_stream_raises_the_error_of_its_request(model, encoder):
    bad = [Message(role=Role.USER, parts=(ImageRef(item_id="x", width=32, height=32),))]
    with pytest.raises(ValueError, match="invalid literal"):
        heard(TransformersPolicy(model, encoder, Swatches()), bad, Sampling())


def test_an_encoder_of_another_family_is_refused(model, encoder):
    with pytest.raises(ValueError, match="cuts patches of 14 px, not as qwen3_vl"):
        TransformersPolicy(model, PromptEncoder(encoder.tokenizer, patching=QWEN2_5_VL), Swatches())


def test_the_mode_of_the_model_is_restored_before_the_last_reply(model, encoder):
    async def run():
        policy = TransformersPolicy(model, encoder, Swatches())
        for _ in range(20):
            await ask(policy, words=1, tokens=2)
            assert model.training

    model.train()
    asyncio.run(run())
    model.eval()


def test_a_prompt_that_cannot_be_served_fails_alone(model, encoder):
    class NoPictureNine(Swatches):
        def image(self, item_id):
            if item_id == "9":
                raise KeyError(item_id)
            return super().image(item_id)

    bad = [Message(role=Role.USER, parts=(ImageRef(item_id="9", width=32, height=32),))]
    policy = TransformersPolicy(model, encoder, NoPictureNine())

    async def run():
        sampling = Sampling(temperature=0, max_tokens=2)
        replies = [policy.complete(asked(c, sampling)) for c in (conversation(1, 1), bad, conversation(2, 0))]
        return await asyncio.gather(*replies, return_exceptions=True)

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
    assert before == policy_fingerprint(model, encoder.tokenizer)
    state = model.state_dict()
    assert weights_fingerprint(state) == weights_fingerprint(dict(reversed(state.items())))
    with torch.no_grad():
        next(iter(model.parameters())).view(-1)[0] += 1e-6
    policy.refresh()
    assert policy.fingerprint != before


def test_rollouts_of_a_real_model_keep_the_segment_invariant(model, encoder):
    """Every call's prompt extends the prompt and the tokens of the call before it in its segment."""
    hits = [
        Hit(item_id="1", dataset="d", modality=Modality.IMAGE, title="ba", text="", width=64, height=64),
        Hit(
            item_id="2",
            dataset="d",
            modality=Modality.VIDEO,
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

        async def complete(self, request):
            completion = await super().complete(request)
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
        return asyncio.run(
            run_rollouts(agent, tasks, RolloutPlan(group_size=2, concurrency=concurrency, seed=5))
        )

    def drawn(groups):
        return [[c.token_ids for s in t.segments for c in s.calls] for group in groups for t in group]

    assert drawn(run(8, 8)) == drawn(run(1, 1))
