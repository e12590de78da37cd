"""Micro-batches: the plan all ranks agree on, and the tensors of one batch."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.config.algorithm import Algorithm
from model.config.schedule import Schedule
from model.rl.segments import SampleKey, TrainingSample, training_samples
from model.training.batches import InputBuilder, batch_rounds, pack, padded_tokens
from tests.model.scene import CAT, Pictures, encoder, group, image_ids

LENGTHS = st.lists(st.integers(2, 90), min_size=1, max_size=25)


def samples_of(lengths: list[int]) -> list[TrainingSample]:
    return [
        TrainingSample(
            key=SampleKey("q", n, 0), token_ids=(1,) * length, loss_positions=(1,), old_logprobs=(0.0,)
        )
        for n, length in enumerate(lengths)
    ]


@given(LENGTHS, st.integers(1, 4), st.integers(1, 200))
@settings(deadline=None)
def test_every_sample_runs_once_and_all_ranks_run_equally_often(
    lengths: list[int], world_size: int, budget: int
):
    rounds = batch_rounds(
        samples_of(lengths), world_size=world_size, schedule=Schedule(token_budget=budget, logit_tokens=4)
    )
    ran = [sample.key.rollout for each in rounds for batch in each.batches for sample in batch]
    assert sorted(ran) == list(range(len(lengths)))
    assert all(len(each.batches) == world_size for each in rounds)
    assert all(len(b) == 1 or padded_tokens(b) <= budget for each in rounds for b in each.batches if b)


@given(LENGTHS, st.integers(1, 4), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_plan_does_not_depend_on_the_order_of_samples(
    lengths: list[int], world_size: int, rng: random.Random
):
    samples = samples_of(lengths)
    first = batch_rounds(samples, world_size=world_size, schedule=Schedule(token_budget=100, logit_tokens=4))
    rng.shuffle(samples)
    assert (
        batch_rounds(samples, world_size=world_size, schedule=Schedule(token_budget=100, logit_tokens=4))
        == first
    )


def test_samples_of_similar_length_share_a_batch():
    # budget 20: 10 + 9 pad to 20; 4 would pad to 30, so it starts the next batch with the 3s
    batches = pack(samples_of([3, 10, 4, 9, 3]), token_budget=20)
    assert [[len(sample.token_ids) for sample in batch] for batch in batches] == [[10, 9], [4, 3, 3]]


def test_work_for_one_rank_is_shared_by_two():
    (only,) = batch_rounds(
        samples_of([5, 5, 5]), world_size=2, schedule=Schedule(token_budget=1000, logit_tokens=4)
    )
    assert [len(batch) for batch in only.batches] in ([1, 2], [2, 1])


def test_a_rank_without_work_gets_an_empty_batch():
    (only,) = batch_rounds(
        samples_of([5]), world_size=2, schedule=Schedule(token_budget=1000, logit_tokens=4)
    )
    assert [len(batch) for batch in only.batches] == [1, 0]


def test_pruned_samples_are_never_forwarded():
    samples = training_samples(group("q", 0), algorithm=Algorithm()).samples
    with pytest.raises(ValueError, match="not to be forwarded"):
        batch_rounds(samples, world_size=1, schedule=Schedule(token_budget=100, logit_tokens=4))


def test_the_heads_work_is_cut_alike_on_all_ranks():
    # rank 0 has 9 loss tokens, rank 1 has 1; 4 at once need 3 parts on both
    long = TrainingSample(
        key=SampleKey("q", 0, 0), token_ids=(1,) * 10, loss_positions=tuple(range(1, 10)), old_logprobs=()
    )
    short = TrainingSample(key=SampleKey("q", 1, 0), token_ids=(1,) * 9, loss_positions=(1,), old_logprobs=())
    (only,) = batch_rounds([long, short], world_size=2, schedule=Schedule(token_budget=10, logit_tokens=4))
    assert only.num_chunks == 3


def test_targets_point_at_the_generated_tokens():
    samples = [
        each for each in training_samples(group("q", 0), algorithm=Algorithm()).samples if not each.pruned
    ][:3]
    batch = InputBuilder(encoder=encoder(), media=Pictures()).build(
        tuple(samples), {each.key: 1.0 for each in samples}
    )
    found = batch.inputs["input_ids"][batch.targets.row_T, batch.targets.index_T]
    assert torch.equal(found, batch.targets.token_T)
    assert batch.targets.token_T.tolist() == [
        each.token_ids[at] for each in samples for at in each.loss_positions
    ]
    assert torch.equal(batch.loss_inputs.segment_T, batch.targets.row_T)


def test_a_batch_without_images_gets_one_behind_its_first_row():
    (sample,) = samples_of([4])
    batch = InputBuilder(encoder=encoder(), media=Pictures()).build((sample,), {sample.key: 1.0})
    assert batch.inputs["input_ids"].tolist() == [[1, 1, 1, 1, encoder().image_id]]
    assert batch.inputs["image_grid_thw"].tolist() == [[1, 2, 2]]
    assert float(batch.inputs["pixel_values"].abs().sum()) == 0.0
    bare = InputBuilder(encoder=encoder(), media=Pictures(), always_vision=False).build(
        (sample,), {sample.key: 1.0}
    )
    assert "pixel_values" not in bare.inputs


def test_an_empty_batch_has_no_loss_tokens():
    batch = InputBuilder(encoder=encoder(), media=Pictures()).build((), {})
    assert len(batch.targets.row_T) == len(batch.loss_inputs.advantages_S) == 0
    assert batch.inputs["input_ids"].shape == (1, 2)


def test_images_of_a_batch_follow_row_order():
    shown = tuple(
        TrainingSample(
            key=SampleKey("q", n, 0),
            token_ids=(*image_ids(CAT), 5),
            loss_positions=(4,),
            old_logprobs=(),
            images=(CAT,),
        )
        for n in range(2)
    )
    batch = InputBuilder(encoder=encoder(), media=Pictures()).build(shown, {each.key: 1.0 for each in shown})
    assert batch.inputs["image_grid_thw"].tolist() == [[1, 2, 4], [1, 2, 4]]
