"""Segments become samples: tokens found by position, credit by the graph, weights by the denominator."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory_graph.credit import Credit, PruneReason
from model.config.algorithm import ALGORITHMS, Algorithm, Denominator, Pruning, Refusals
from model.rl.segments import (
    SampleKey,
    TrainingSample,
    segment_tokens,
    segment_weights,
    supervised_samples,
    training_samples,
)
from model.types import Call, ImageRef, Segment, Trajectory
from tests.model.scene import CAT, group, rollout, segment


def call(prompt: list[int], tokens: list[int], images: tuple[ImageRef, ...] = ()) -> Call:
    return Call(
        prompt_ids=tuple(prompt), token_ids=tuple(tokens), logprobs=(-1.0,) * len(tokens), images=images
    )


def test_loss_tokens_of_every_call_are_found_by_position():
    # prompt 1 2, generated 3 4; then observation 5, generated 6: positions 2 3 and 5
    found = segment_tokens(Segment(node_id="n1", calls=(call([1, 2], [3, 4]), call([1, 2, 3, 4, 5], [6]))))
    assert found.token_ids == (1, 2, 3, 4, 5, 6)
    assert found.loss_positions == (2, 3, 5)


def test_a_call_that_does_not_extend_the_one_before_is_refused():
    with pytest.raises(ValueError, match="does not extend"):
        segment_tokens(Segment(node_id="n1", calls=(call([1, 2], [3, 4]), call([1, 2, 3, 9, 5], [6]))))


def test_images_must_extend_as_well():
    shown = call([1, 2], [3], images=(CAT,))
    with pytest.raises(ValueError, match="does not extend"):
        segment_tokens(Segment(node_id="n1", calls=(shown, call([1, 2, 3, 4], [5]))))


def test_a_remote_endpoints_rollout_cannot_be_trained_on_and_the_message_says_where():
    remote = rollout("q", [Segment(node_id=None, calls=(call([], []),))], reward=1.0)
    with pytest.raises(ValueError, match=r"question 'q', rollout 0, segment 0.*no token ids"):
        training_samples([remote], algorithm=Algorithm())


def test_missing_log_probabilities_are_refused_for_reinforcement_and_not_needed_for_imitation():
    bare = Segment(node_id=None, calls=(replace(call([1], [2]), logprobs=()),))
    demonstration = rollout("q", [bare], reward=1.0)
    with pytest.raises(ValueError, match="no log-probabilities"):
        training_samples([demonstration], algorithm=Algorithm())
    assert supervised_samples([demonstration])[0].loss_positions == (1,)


def test_a_log_probability_that_is_not_a_number_is_refused():
    torn = Segment(node_id=None, calls=(replace(call([1], [2]), logprobs=(float("nan"),)),))
    with pytest.raises(ValueError, match=r"question 'q', rollout 0, segment 0: .*not finite"):
        training_samples([rollout("q", [torn], reward=1.0)], algorithm=Algorithm())


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 9), st.integers(0, 99))
@settings(deadline=None, max_examples=50)
def test_every_generated_token_is_a_loss_token_and_no_other(lengths: list[int], prompt: int, seed: int):
    made = segment(random.Random(seed), node_id="n1", lengths=lengths, prompt=prompt)
    found = segment_tokens(made)
    generated = [token for each in made.calls for token in each.token_ids]
    assert [found.token_ids[at] for at in found.loss_positions] == generated
    # the rest is the first prompt and three observed tokens before each later call
    assert len(found.token_ids) - len(generated) == prompt + 3 * (len(lengths) - 1)


def test_ggpo_prunes_what_a_right_answer_does_not_rest_on_and_what_found_gold_for_a_wrong_one():
    samples = training_samples(group("q", 0), algorithm=Algorithm()).samples
    assert {each.key[1:3]: each.credit for each in samples if each.pruned} == {
        (0, 1): Credit(True, PruneReason.DEAD_END),
        (2, 0): Credit(True, PruneReason.RETURNED_GOLD),
    }


@pytest.mark.parametrize(
    ("pruning", "expected"),
    [(Pruning.NONE, set()), (Pruning.POSITIVES, {(0, 1)}), (Pruning.NEGATIVES, {(2, 0)})],
)
def test_ablations_prune_by_one_rule_or_by_none(pruning: Pruning, expected: set):
    samples = training_samples(group("q", 0), algorithm=Algorithm(pruning=pruning)).samples
    assert {each.key[1:3] for each in samples if each.pruned} == expected


@pytest.mark.parametrize("seed", range(5))
def test_a_random_mask_prunes_as_many_of_each_rollout_and_never_the_answer(seed: int):
    algorithm = Algorithm(pruning=Pruning.RANDOM, seed=seed)
    samples = training_samples(group("q", 0), algorithm=algorithm).samples
    pruned = [each for each in samples if each.pruned]
    assert sorted(each.key.rollout for each in pruned) == [0, 2]
    assert all(each.node_id is not None and each.credit == Credit(True, PruneReason.DRAWN) for each in pruned)
    assert samples == training_samples(group("q", 0), algorithm=algorithm).samples


def test_a_search_that_never_became_a_node_supports_nothing():
    extra = segment(random.Random(0), node_id="n9", lengths=(2,))
    right, wrong = group("q", 0)[1], group("q", 0)[3]
    rollouts = [
        replace(each, segments=(*each.segments[:-1], extra, each.segments[-1])) for each in (right, wrong)
    ]
    samples = training_samples(rollouts, algorithm=Algorithm()).samples
    assert [each.pruned for each in samples if each.node_id == "n9"] == [True, False]


def refusing() -> list[Trajectory]:
    """Four rollouts whose nodes n1 each had a reply refused before the one that searched; the answer, too, took two replies."""

    def with_refusal(part: Segment) -> Segment:
        return replace(part, calls=(replace(part.calls[0], rejected=True), *part.calls[1:]))

    rng = random.Random(7)

    def segments() -> list[Segment]:
        return [
            with_refusal(segment(rng, node_id="n1", lengths=(3, 2))),
            with_refusal(segment(rng, node_id=None, lengths=(2, 4))),
        ]

    return [
        rollout("q", segments(), reward=1.0, support=("n1",)),
        rollout("q", segments(), reward=1.0, support=("root",)),
        rollout("q", segments(), reward=0.0, gold="item-n1"),
        rollout("q", segments(), reward=0.0),
    ]


def test_refused_replies_are_neither_praised_in_right_rollouts_nor_shielded_in_wrong_ones():
    # by rollout: right and resting on n1, right and not, wrong with gold found, wrong without
    samples = {each.key: each for each in training_samples(refusing(), algorithm=Algorithm()).samples}
    refused = {key[1:3]: each.pruned for key, each in samples.items() if key.refused}
    accepted = {key[1:3]: each.pruned for key, each in samples.items() if not key.refused}
    assert refused == {(r, s): r < 2 for r in range(4) for s in range(2)}
    assert accepted == {(r, s): (r, s) in {(1, 0), (2, 0)} for r in range(4) for s in range(2)}
    assert {each.credit for key, each in samples.items() if key.refused} == {
        Credit(True, PruneReason.REFUSED_RIGHT),
        Credit(False, PruneReason.REFUSED_WRONG),
    }


def test_a_unit_is_its_own_length_and_the_two_hold_every_token_once():
    whole = training_samples(refusing(), algorithm=Algorithm(refusals=Refusals.NODE)).samples
    parts = training_samples(refusing(), algorithm=Algorithm()).samples
    assert len(parts) == 2 * len(whole) == 16
    for each in whole:
        of_segment = [part for part in parts if part.key[:3] == each.key[:3]]
        assert sorted(at for part in of_segment for at in part.loss_positions) == list(each.loss_positions)
        assert [len(part.loss_positions) for part in of_segment] == [
            len(part.old_logprobs) for part in of_segment
        ]


def test_read_literally_a_refused_reply_shares_the_credit_of_its_node():
    samples = training_samples(refusing(), algorithm=ALGORITHMS["ggpo_literal"]).samples
    assert not any(each.key.refused for each in samples)
    assert {each.key[1:3] for each in samples if each.pruned} == {(1, 0), (2, 0)}


def test_without_pruning_refused_replies_stay_with_their_segment():
    assert training_samples(refusing(), algorithm=ALGORITHMS["gspo"]).samples == tuple(
        replace(each, credit=Credit(False, each.credit.reason))
        for each in training_samples(refusing(), algorithm=ALGORITHMS["gspo"]).samples
        if each.credit is not None
    )
    assert len(training_samples(refusing(), algorithm=ALGORITHMS["gspo"]).samples) == 8


def test_a_rule_that_is_off_spares_refused_replies_too():
    for pruning, pruned in ((Pruning.POSITIVES, {0, 1}), (Pruning.NEGATIVES, set())):
        samples = training_samples(refusing(), algorithm=Algorithm(pruning=pruning)).samples
        assert {each.key.rollout for each in samples if each.key.refused and each.pruned} == pruned


def test_pruning_without_a_verdict_is_refused():
    unjudged = replace(group("q", 0)[0], correct=None)
    with pytest.raises(ValueError, match="needs a verdict"):
        training_samples([unjudged], algorithm=Algorithm())


def test_unscored_rollouts_give_no_samples_and_are_counted():
    rollouts = group("q", 0)
    rollouts[0] = replace(rollouts[0], reward=None, correct=None)
    found = training_samples(rollouts, algorithm=Algorithm())
    assert found.num_unscored == 1
    assert {each.key.rollout for each in found.samples} == {1, 2, 3}


def sample(question: str, rollout: int, segment: int, *, pruned: bool = False) -> TrainingSample:
    return TrainingSample(
        key=SampleKey(question, rollout, segment),
        token_ids=(1, 2),
        loss_positions=(1,),
        old_logprobs=(0.0,),
        credit=Credit(True, PruneReason.DEAD_END) if pruned else None,
    )


@pytest.mark.parametrize(
    ("denominator", "expected"),
    [
        # question a: two rollouts, three segments, one pruned; question b: one segment. Two questions halve all.
        (Denominator.ALL, [1 / 6, 1 / 6, 1 / 6, 1 / 2]),
        (Denominator.KEPT, [1 / 4, 1 / 4, 1 / 4, 1 / 2]),
        (Denominator.ROLLOUTS, [1 / 4, 1 / 4, 1 / 4, 1 / 2]),
    ],
)
def test_the_weight_of_a_segment_is_one_over_questions_times_denominator(
    denominator: Denominator, expected: list
):
    samples = [sample("a", 0, 0, pruned=True), sample("a", 0, 1), sample("a", 1, 0), sample("b", 0, 0)]
    weights = segment_weights(samples, denominator=denominator)
    assert [weights[each.key] for each in samples] == pytest.approx(expected)


def test_an_answer_counts_what_it_is_told_to_and_the_denominator_counts_it_in_full():
    answer, search = sample("a", 0, 1), replace(sample("a", 0, 0), node_id="n1")
    refused = replace(answer, key=answer.key._replace(refused=True))
    weights = segment_weights([answer, search, refused], denominator=Denominator.ALL, answer_weight=0.5)
    assert [weights[each.key] for each in (answer, search, refused)] == pytest.approx([1 / 6, 1 / 3, 1 / 3])


@pytest.mark.parametrize("weight", [-0.5, float("inf"), float("nan")])
def test_a_weight_of_answers_that_is_none_is_refused(weight: float):
    with pytest.raises(ValueError, match="answer_weight"):
        Algorithm(answer_weight=weight)


@pytest.mark.parametrize("positions", [(), (0,), (2, 1), (1, 1), (3,)])
def test_loss_positions_out_of_order_or_range_are_refused(positions: tuple):
    with pytest.raises(ValueError, match="loss positions"):
        TrainingSample(
            key=SampleKey("q", 0, 0), token_ids=(1, 2, 3), loss_positions=positions, old_logprobs=()
        )
