"""The gate: a rollout that the trainer cannot reproduce is refused, and the segment named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from model.rl.segments import SampleKey, TrainingSample, training_samples
from model.training.parity import (
    ParityConfig,
    ParityError,
    bf16_parity,
    check_images,
    check_logprobs,
    placeholder_spans,
)
from model.training.trainer import Trainer
from model.types import Trajectory
from tests.model.scene import (
    CAT,
    DOG,
    Pictures,
    Setup,
    encoder,
    group,
    image_ids,
    noise,
    policy,
    sampled,
    trainer,
)


@pytest.fixture(scope="module")
def rollouts() -> list[Trajectory]:
    return sampled(group("q", 0), policy(), Pictures())


@pytest.fixture(scope="module")
def gated() -> Trainer:
    return trainer(Setup(parity=ParityConfig()))


def with_media(gated: Trainer, media: Pictures) -> Trainer:
    inputs = replace(gated.inputs, media=media, encoder=encoder())
    return Trainer(gated.engine, inputs, algorithm=gated.algorithm, parity=gated.parity)


def with_images(rollouts: list[Trajectory], change: dict) -> list[Trajectory]:
    """The rollouts with image references of the last segment of rollout 1 changed after the fact."""
    *first, last = rollouts[1].segments
    calls = tuple(
        replace(call, images=tuple(change.get(image, image) for image in call.images)) for call in last.calls
    )
    calls = tuple(
        replace(call, images=tuple(image for image in call.images if image is not None)) for call in calls
    )
    return [rollouts[0], replace(rollouts[1], segments=(*first, replace(last, calls=calls))), *rollouts[2:]]


def refused(gated: Trainer, rollouts: list[Trajectory], media: Pictures | None = None) -> ParityError:
    before = {name: tensor.clone() for name, tensor in gated.engine.weights().items()}
    with pytest.raises(ParityError) as caught:
        with_media(gated, media or Pictures()).update(rollouts)
    assert all(before[name].equal(tensor) for name, tensor in gated.engine.weights().items())
    return caught.value


def test_faithful_rollouts_pass_to_within_rounding(gated: Trainer, rollouts: list[Trajectory]):
    samples = training_samples(rollouts, algorithm=gated.algorithm).samples
    assert with_media(gated, Pictures()).check_parity(samples) < 1e-4


def test_an_image_deleted_from_the_rollout_is_refused(gated: Trainer, rollouts: list[Trajectory]):
    error = refused(gated, with_images(rollouts, {DOG: None}))
    assert error.key == ("q", 1, 2, False)
    assert "2 image spans, the rollout recorded 1" in error.reason
    assert str(error).startswith("question 'q', rollout 1, segment 2: ")


def test_an_image_resized_after_the_rollout_is_refused(gated: Trainer, rollouts: list[Trajectory]):
    larger = replace(DOG, width=64)
    error = refused(gated, with_images(rollouts, {DOG: larger}))
    assert error.key == ("q", 1, 2, False) and "64x64 px, 4 tokens; the prompt holds 2" in error.reason


def test_two_images_swapped_are_refused(gated: Trainer, rollouts: list[Trajectory]):
    # both cost two tokens, so only the pixels differ
    error = refused(gated, with_images(rollouts, {DOG: CAT, CAT: DOG}))
    assert error.key == ("q", 1, 2, False) and "log-probabilities differ" in error.reason


def test_a_picture_gone_from_the_media_source_is_refused(gated: Trainer, rollouts: list[Trajectory]):
    error = refused(gated, rollouts, Pictures(names=("cat",)))
    assert error.key == ("q", 0, 2, False) and "cannot be loaded" in error.reason


def test_a_picture_exchanged_in_the_media_source_is_refused(gated: Trainer, rollouts: list[Trajectory]):
    media = Pictures()
    media.images["dog"] = noise(77)
    error = refused(gated, rollouts, media)
    assert error.key == ("q", 0, 2, False) and "log-probabilities differ" in error.reason


def test_rollouts_of_another_policy_are_refused(gated: Trainer):
    error = refused(gated, sampled(group("q", 0), policy(seed=1), Pictures()))
    assert "log-probabilities differ" in error.reason


def test_pruned_segments_are_not_held_against_a_rollout(gated: Trainer, rollouts: list[Trajectory]):
    # segment 1 of rollout 0 is pruned: its wrong log-probabilities train nothing
    first, pruned, last = rollouts[0].segments
    call = replace(pruned.calls[0], logprobs=(-99.0,) * len(pruned.calls[0].logprobs))
    changed = replace(rollouts[0], segments=(first, replace(pruned, calls=(call,)), last))
    samples = training_samples([changed, *rollouts[1:]], algorithm=gated.algorithm).samples
    assert with_media(gated, Pictures()).check_parity(samples) < 1e-4


def sample(token_ids: tuple[int, ...], images: tuple) -> TrainingSample:
    return TrainingSample(
        key=SampleKey("q", 0, 0),
        token_ids=token_ids,
        loss_positions=(1,),
        old_logprobs=(-1.0,),
        images=images,
    )


def test_placeholders_expanded_twice_are_refused():
    image_id = encoder().image_id
    doubled = (1, *image_ids(CAT)[:-1], *image_ids(CAT)[1:])
    with pytest.raises(ParityError, match="2 tokens; the prompt holds 4"):
        check_images(sample(doubled, (CAT,)), encoder().pixels((CAT,), Pictures()), image_id=image_id)


def test_pixels_at_another_size_than_granted_are_refused():
    wide = replace(CAT, width=32, height=64)
    tokens = (1, *image_ids(CAT))
    with pytest.raises(ParityError, match="loaded at 32x64 px"):
        check_images(
            sample(tokens, (CAT,)), encoder().pixels((wide,), Pictures()), image_id=encoder().image_id
        )


def test_spans_are_unbroken_runs():
    assert placeholder_spans((7, 9, 9, 7, 9, 7, 7), image_id=9) == (2, 1)


def test_a_recomputed_value_that_is_not_a_number_is_refused():
    with pytest.raises(ParityError):
        check_logprobs(sample((1, 2), ()), [float("nan")], config=bf16_parity())


def test_one_wrong_token_among_many_is_found():
    # 99 exact, one off by 0.05: the mean of 0.0005 passes, the largest does not
    many = TrainingSample(
        key=SampleKey("q", 0, 0),
        token_ids=(1,) * 101,
        loss_positions=tuple(range(1, 101)),
        old_logprobs=(-1.0,) * 100,
    )
    with pytest.raises(ParityError, match="loss token 42"):
        check_logprobs(many, [-1.0] * 42 + [-1.05] + [-1.0] * 57, config=ParityConfig())


def test_the_gate_stands_before_the_first_update_of_a_process_only(rollouts: list[Trajectory]):
    # a resumed run is checked once more; later updates sample from weights that have passed
    resumed = trainer(Setup(parity=ParityConfig()))
    resumed.updates = 7
    media = Pictures()
    media.images["dog"] = noise(77)
    with pytest.raises(ParityError):
        with_media(resumed, media).update(rollouts)
    assert resumed.update(rollouts).update == 7
    assert resumed.update(with_images(rollouts, {DOG: CAT, CAT: DOG})).update == 8
