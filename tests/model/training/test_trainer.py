"""One update, whole: the mask is no loss mask, splits do not matter, gradients land on their own tokens."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config.algorithm import ALGORITHMS, Algorithm, Denominator, Pruning, Ratio
from model.config.engine import EngineConfig
from model.config.schedule import Schedule
from model.policies.chat_template import collate
from model.rl.segments import TrainingSample, segment_weights, supervised_samples, training_samples
from model.training.batches import InputBuilder
from model.training.logprobs import TokenLogprobs
from model.training.metrics import MetricsWriter, read_metrics
from model.training.trainer import Trainer, mini_batches, trainable
from model.types import Trajectory
from tests.model.rl.loss_reference import KeptSegment, objective
from tests.model.scene import (
    CAT,
    WIDE,
    Pictures,
    Setup,
    encoder,
    group,
    policy,
    rollout,
    sampled,
    segment,
    trainer,
)

UNCLIPPED = Schedule(learning_rate=1e-3, token_budget=120, logit_tokens=8, max_gradient_norm=0)


@pytest.fixture(scope="module")
def rollouts() -> list[Trajectory]:
    """Two questions, one without pictures; log-probabilities off by up to 0.3 nats, so that ratios and clip matter."""
    return sampled(group("q1", 0) + group("q2", 1, pictures=False), policy(), Pictures(), jitter=0.3)


@pytest.fixture(scope="module")
def whole(rollouts: list[Trajectory]) -> dict[str, torch.Tensor]:
    """The gradient with everything in one micro-batch."""
    schedule = replace(UNCLIPPED, token_budget=100_000, logit_tokens=100_000)
    return gradient(Setup(algorithm=WIDE, schedule=schedule), rollouts)


def gradient(setup: Setup, rollouts: list[Trajectory], *, share: bool = True) -> dict[str, torch.Tensor]:
    """The gradient of one update, caught just before the step."""
    made = trainer(replace(setup, engine=replace(setup.engine, zero_stage=0)))
    made.inputs = replace(made.inputs, share_images=share)
    caught: dict[str, torch.Tensor] = {}
    step = made.engine.step

    def spy():
        caught.update(
            {n: p.grad.clone() for n, p in made.engine.model.named_parameters() if p.grad is not None}
        )
        return step()

    made.engine.step = spy  # type: ignore[method-assign]
    made.update(rollouts)
    return caught


def assert_same(
    found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], *, tolerance: float = 1e-6
) -> None:
    assert found.keys() == expected.keys() and found
    scale = max(float(tensor.abs().max()) for tensor in expected.values())
    for name, tensor in expected.items():
        assert float((found[name] - tensor).abs().max()) <= tolerance * scale, name


def plain_logits(model: torch.nn.Module, sample: TrainingSample) -> torch.Tensor:
    """Logits [T, V] that predict a segment's loss tokens, from a forward pass over that segment alone."""
    pixels = encoder().pixels(sample.images, Pictures())
    inputs = collate([sample.token_ids], [pixels], pad_id=encoder().pad_id, image_id=encoder().image_id)
    return model(**inputs).logits[0][[at - 1 for at in sample.loss_positions]]


def plain_logprobs(model: torch.nn.Module, sample: TrainingSample) -> torch.Tensor:
    """Log-probabilities of a segment's loss tokens, by the same pass."""
    logprobs_TV = plain_logits(model, sample).log_softmax(dim=-1)
    return torch.stack(
        [logprobs_TV[row, sample.token_ids[at]] for row, at in enumerate(sample.loss_positions)]
    )


def reference_gradient(rollouts: list[Trajectory], algorithm: Algorithm) -> dict[str, torch.Tensor]:
    """The NumPy reference's derivative by each token, carried to the weights through plain forward passes."""
    model = policy()
    samples = training_samples(rollouts, algorithm=algorithm).samples
    weights = segment_weights(samples, denominator=algorithm.denominator)
    for sample in samples:
        if sample.pruned:
            continue
        new_T = plain_logprobs(model, sample)
        kept = KeptSegment(
            new=tuple(new_T.tolist()),
            old=sample.old_logprobs,
            advantage=sample.advantage,
            weight=weights[sample.key],
        )
        found = objective(
            [kept], ratio=str(algorithm.ratio), low=algorithm.clip_low, high=algorithm.clip_high
        )
        (new_T * torch.tensor(found.gradient[0])).sum().backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("ratio", list(Ratio))
def test_the_gradient_of_an_update_equals_the_numpy_reference(ratio: Ratio, rollouts: list[Trajectory]):
    algorithm = replace(WIDE, ratio=ratio)
    found = gradient(Setup(algorithm=algorithm, schedule=UNCLIPPED), rollouts)
    assert_same(found, reference_gradient(rollouts, algorithm), tolerance=1e-5)


def test_gradients_of_segments_of_3_and_50_tokens_land_on_their_own_tokens():
    rng = random.Random(0)
    short, long = (
        segment(rng, node_id=None, lengths=(3,)),
        segment(rng, node_id=None, lengths=(20, 30), images=(CAT,)),
    )
    two = sampled([rollout("q", [short], reward=1.0), rollout("q", [long], reward=0.0)], policy(), Pictures())
    samples = training_samples(two, algorithm=WIDE).samples
    builder = InputBuilder(encoder=encoder(), media=Pictures())
    batch = builder.build(samples, {each.key: 0.5 for each in samples})
    model, seen = policy(), []
    model.lm_head.register_forward_hook(
        lambda _, inputs, output: (output.retain_grad(), seen.append(output))[1]
    )
    logprobs_T, _ = TokenLogprobs(model)(batch.inputs, batch.targets, 1)
    # advantages +1 and -1, weight 1/2: -1/6 on each of 3 tokens, +1/100 on each of 50
    slopes_T = torch.tensor([-1 / 6] * 3 + [1 / 100] * 50)
    (logprobs_T * slopes_T).sum().backward()
    (logits_TV,) = seen
    expected_TV = slopes_T[:, None] * (
        torch.nn.functional.one_hot(batch.targets.token_T, logits_TV.shape[1])
        - logits_TV.detach().softmax(dim=-1)
    )
    assert torch.allclose(logits_TV.grad, expected_TV, atol=1e-7)
    assert_same(
        gradient(Setup(algorithm=WIDE, schedule=UNCLIPPED), two),
        {name: p.grad for name, p in model.named_parameters() if p.grad is not None},
        tolerance=1e-5,
    )


def test_the_mask_is_no_loss_mask(rollouts: list[Trajectory]):
    # what is kept is exactly the same sample with and without pruning: tokens, loss positions, old values, advantage
    pruned = {s.key: s for s in training_samples(rollouts, algorithm=WIDE).samples}
    whole = {
        s.key: s for s in training_samples(rollouts, algorithm=replace(WIDE, pruning=Pruning.NONE)).samples
    }
    kept = [key for key, sample in pruned.items() if not sample.pruned]
    assert 0 < len(kept) < len(whole)
    assert all(replace(pruned[key], credit=None) == replace(whole[key], credit=None) for key in kept)


def test_a_skipped_segment_equals_a_masked_one(rollouts: list[Trajectory]):
    # masked: forwarded without pruning, its term multiplied by zero by hand, the denominator counting all
    algorithm = replace(WIDE, pruning=Pruning.NONE)
    mask = {s.key: 0.0 if s.pruned else 1.0 for s in training_samples(rollouts, algorithm=WIDE).samples}
    model = policy()
    samples = training_samples(rollouts, algorithm=algorithm).samples
    weights = segment_weights(samples, denominator=Denominator.ALL)
    for sample in samples:
        new_T = plain_logprobs(model, sample)
        ratio = (new_T - torch.tensor(sample.old_logprobs)).mean().exp()
        worth = torch.minimum(ratio * sample.advantage, ratio.clamp(0.8, 1.2) * sample.advantage)
        (-weights[sample.key] * mask[sample.key] * worth).backward()
    masked = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert_same(gradient(Setup(algorithm=WIDE, schedule=UNCLIPPED), rollouts), masked, tolerance=1e-5)


def test_pruned_and_skipped_is_pruned_and_masked_in_the_trainer_itself(rollouts: list[Trajectory]):
    # the masked variant forwards everything: pruned segments run through the same step with weight zero
    samples = training_samples(rollouts, algorithm=WIDE).samples
    weights = segment_weights(samples, denominator=WIDE.denominator)
    masked = {s.key: 0.0 if s.pruned else weights[s.key] for s in samples}
    made = trainer(Setup(algorithm=WIDE, schedule=UNCLIPPED, engine=EngineConfig(zero_stage=0)))
    caught: dict[str, torch.Tensor] = {}
    step = made.engine.step

    def spy():
        caught.update(
            {n: p.grad.clone() for n, p in made.engine.model.named_parameters() if p.grad is not None}
        )
        return step()

    made.engine.step = spy  # type: ignore[method-assign]
    done = made._step([replace(s, credit=None) for s in samples], masked, made._policy_objective)
    skipped = trainer(Setup(algorithm=WIDE, schedule=UNCLIPPED)).update(rollouts)
    assert len(done.samples) == 22 and skipped.num_trained == 18
    assert done.sums.loss == pytest.approx(skipped.loss, rel=1e-5)
    assert_same(gradient(Setup(algorithm=WIDE, schedule=UNCLIPPED), rollouts), caught, tolerance=1e-5)


def test_a_pruned_segment_has_exactly_no_gradient(rollouts: list[Trajectory]):
    # replacing everything a pruned segment contains does not move a bit of the gradient
    first = rollouts[0]
    stranger = segment(random.Random(9), node_id="n2", lengths=(7,), prompt=3)
    changed = replace(first, segments=(first.segments[0], stranger, first.segments[2]))
    setup = Setup(algorithm=WIDE, schedule=UNCLIPPED)
    one, other = gradient(setup, rollouts), gradient(setup, [changed, *rollouts[1:]])
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("token_budget", "logit_tokens"), [(1, 1), (40, 3), (100_000, 10_000)])
def test_any_split_and_padding_gives_the_same_gradient(
    token_budget: int, logit_tokens: int, rollouts: list[Trajectory]
):
    setup = Setup(algorithm=WIDE, schedule=UNCLIPPED)
    split = replace(UNCLIPPED, token_budget=token_budget, logit_tokens=logit_tokens)
    assert_same(gradient(replace(setup, schedule=split), rollouts), gradient(setup, rollouts), tolerance=1e-5)


def test_the_order_of_rollouts_does_not_matter(rollouts: list[Trajectory]):
    setup = Setup(algorithm=WIDE, schedule=UNCLIPPED)
    shuffled = rollouts.copy()
    random.Random(3).shuffle(shuffled)
    assert_same(gradient(setup, shuffled), gradient(setup, rollouts), tolerance=1e-5)


@given(
    token_budget=st.integers(1, 400),
    logit_tokens=st.integers(1, 60),
    kept_visual_tokens=st.sampled_from([0, 131_072]),
    share=st.booleans(),
    order=st.permutations(range(8)),
)
@settings(deadline=None, max_examples=10)
def test_any_split_padding_sharing_and_order_gives_the_same_gradient(
    token_budget: int,
    logit_tokens: int,
    kept_visual_tokens: int,
    share: bool,
    order: list[int],
    rollouts: list[Trajectory],
    whole: dict[str, torch.Tensor],
):
    split = replace(
        UNCLIPPED,
        token_budget=token_budget,
        logit_tokens=logit_tokens,
        kept_visual_tokens=kept_visual_tokens,
    )
    setup = Setup(algorithm=WIDE, schedule=split)
    assert_same(gradient(setup, [rollouts[at] for at in order], share=share), whole, tolerance=1e-5)


def test_numbers_of_an_update_are_counted_by_hand(rollouts: list[Trajectory]):
    unscored = replace(rollouts[3], reward=None, correct=None)
    found = trainer(Setup(algorithm=WIDE)).update([*rollouts[:3], unscored, *rollouts[4:]])
    # q1: 3 + 3 + 3 segments, q2: 3 + 3 + 3 + 2; two pruned in each
    assert (found.num_questions, found.num_rollouts, found.num_unscored) == (2, 8, 1)
    assert (found.num_segments, found.num_pruned, found.num_zero_advantage, found.num_trained) == (
        20,
        4,
        0,
        16,
    )
    assert found.mean_reward == pytest.approx(4 / 7)
    assert found.steps == 1 and 0 < found.clip_fraction < 1 and found.padded_tokens >= found.forward_tokens
    assert found.max_log_ratio == pytest.approx(0.3, abs=0.05)


def test_a_judge_without_a_verdict_is_counted_and_trains_nothing(rollouts: list[Trajectory]):
    # a judge that hung leaves no reward: the update ends, counts the abstentions and takes no step
    unjudged = [replace(each, reward=None, correct=None) for each in rollouts]
    made = trainer(Setup(algorithm=WIDE))
    before = made.engine.weights()
    found = made.update(unjudged)
    assert (found.num_rollouts, found.num_unscored, found.num_trained, found.steps) == (8, 8, 0, 0)
    assert all(torch.equal(before[name], tensor) for name, tensor in made.engine.weights().items())


def test_on_policy_rollouts_have_ratio_one_and_no_clip():
    on_policy = sampled(group("q1", 0), policy(), Pictures())
    found = trainer(Setup(algorithm=Algorithm())).update(on_policy)
    assert found.mean_ratio == pytest.approx(1.0, abs=1e-5)
    assert found.clip_fraction == 0.0
    # loss at ratio one: minus the mean of A over all segments, pruned ones counted as zero
    # advantages +1 +1 -1 -1 with 2, 3, 2 and 2 kept segments of 11
    assert found.loss == pytest.approx(-(2 + 3 - 2 - 2) / 11, abs=1e-4)


def test_groups_without_a_difference_move_no_weight(rollouts: list[Trajectory]):
    alike = [replace(each, reward=1.0, correct=True) for each in rollouts[:2]]
    made = trainer(Setup(algorithm=WIDE))
    before = made.engine.weights()
    found = made.update(alike)
    assert (found.steps, found.num_trained, found.num_zero_advantage) == (0, 0, 5)
    assert math.isnan(found.loss)
    assert all(torch.equal(before[name], tensor) for name, tensor in made.engine.weights().items())


def test_mini_batches_hold_whole_questions_and_take_one_step_each(rollouts: list[Trajectory]):
    samples = training_samples(rollouts, algorithm=WIDE).samples
    parts = mini_batches(samples, parts=3, seed="0/0")
    assert sorted(len({s.key.question_id for s in part}) for part in parts) == [1, 1]
    assert sorted(s.key for part in parts for s in part) == sorted(s.key for s in samples)
    made = trainer(Setup(algorithm=WIDE, schedule=replace(UNCLIPPED, mini_batches=3)))
    assert made.update(rollouts).steps == 2


def test_an_update_makes_right_answers_likelier_and_wrong_ones_less_likely():
    on_policy = sampled(group("q1", 0), policy(), Pictures())
    made = trainer(Setup(algorithm=ALGORITHMS["gspo"], schedule=replace(UNCLIPPED, learning_rate=3e-4)))
    for _ in range(3):
        made.update(on_policy)
    # the same rollouts again: ratios now tell which way they went
    samples = [s for s in training_samples(on_policy, algorithm=ALGORITHMS["gspo"]).samples]
    with torch.no_grad():
        shifts = [
            float((plain_logprobs(made.engine.model, s) - torch.tensor(s.old_logprobs)).mean())
            for s in samples
        ]
    gains = [shift * sample.advantage for shift, sample in zip(shifts, samples, strict=True)]
    assert sum(gains) > 0.5


def test_a_divergence_needs_a_reference_and_pulls_towards_it(rollouts: list[Trajectory]):
    algorithm = replace(WIDE, kl_coefficient=1.0)
    with pytest.raises(ValueError, match="reference"):
        trainer(Setup(algorithm=algorithm))
    plain = trainer(Setup(algorithm=WIDE))
    anchored = Trainer(
        plain.engine,
        plain.inputs,
        algorithm=algorithm,
        parity=None,
        reference=TokenLogprobs(policy(seed=1)).eval(),
    )
    first = anchored.update(rollouts).divergence
    later = [anchored.update(rollouts).divergence for _ in range(5)]
    assert 0 < later[-1] < first


def test_imitation_learns_its_demonstrations():
    demonstrations = supervised_samples(group("q1", 0))
    made = trainer(Setup(schedule=replace(UNCLIPPED, learning_rate=1e-2)))
    losses = [made.nll_update(demonstrations) for _ in range(15)]
    assert losses[0].loss > 4.0 > 2.0 > losses[-1].loss
    assert losses[0].loss_tokens == sum(len(s.loss_positions) for s in demonstrations)
    with torch.no_grad():
        total = sum(float(-plain_logprobs(policy(), s).sum()) for s in demonstrations)
    assert losses[0].loss == pytest.approx(total / losses[0].loss_tokens, rel=1e-5)


def test_a_text_only_update_leaves_the_vision_tower_without_gradient():
    text = sampled(group("q2", 1, pictures=False), policy(), Pictures())
    found = gradient(Setup(algorithm=WIDE, schedule=UNCLIPPED), text)
    vision = [tensor for name, tensor in found.items() if ".visual." in name]
    assert vision and all(float(tensor.abs().max()) == 0.0 for tensor in vision)
    assert_same(
        {name: tensor for name, tensor in found.items() if ".visual." not in name},
        reference_gradient(text, WIDE),
        tolerance=1e-5,
    )


def test_only_samples_with_a_gradient_are_forwarded():
    samples = training_samples(group("q", 0), algorithm=WIDE).samples
    assert sum(trainable(each, algorithm=WIDE) for each in samples) == 9
    level = replace(samples[0], advantage=0.0)
    assert not trainable(level, algorithm=WIDE)
    assert trainable(level, algorithm=replace(WIDE, kl_coefficient=0.1))


def test_metrics_are_json_lines_and_resuming_drops_what_comes_again(tmp_path, rollouts: list[Trajectory]):
    path = tmp_path / "run" / "updates.jsonl"
    made = trainer(Setup(algorithm=WIDE))
    writer = MetricsWriter(path)
    for _ in range(3):
        writer.write(made.update(rollouts).record())
    with path.open("a") as file:
        file.write('{"update": 3, "lo')
    MetricsWriter(path, resume_at=2).write({"update": 2, "loss": float("nan")})
    assert [(each["update"], each["loss"] is None) for each in read_metrics(path)] == [
        (0, False),
        (1, False),
        (2, True),
    ]


def test_a_record_is_flat_and_completed_in_place(tmp_path, rollouts: list[Trajectory]):
    path = tmp_path / "updates.jsonl"
    writer = MetricsWriter(path)
    made = trainer(Setup(algorithm=WIDE))
    for _ in range(2):
        writer.write(made.update(rollouts).record())
    first, before = read_metrics(path)
    writer.complete({"seconds_checkpoint": 1.5})
    assert list(read_metrics(path)) == [first, before | {"seconds_checkpoint": 1.5}]
    # two of each group of eleven segments: one by either rule
    assert (before["pruned_dead_end"], before["pruned_gold"]) == (2 / 22, 2 / 22)
    assert not any(isinstance(value, dict) for value in before.values())
    assert [each.name for each in tmp_path.iterdir()] == ["updates.jsonl"]
