"""The contrastive loss, and the share of a batch that is found. Pure functions of unit vectors."""

from typing import NamedTuple

import torch
from torch import Tensor


class ContrastiveLoss(NamedTuple):
    """What a step minimises, and how often the nearest candidate is the right one."""

    value: Tensor  # scalar, differentiable
    found: Tensor  # scalar in [0, 1], detached: queries whose own document is nearest among those that do not match too


def info_nce(
    queries_NW: Tensor, documents_NW: Tensor, matches_NN: Tensor, *, temperature: float
) -> ContrastiveLoss:
    """Symmetric InfoNCE (arXiv 1807.03748) of ``N`` pairs, in which further matches are no negatives.

    With ``s_ij = q_i . d_j / temperature`` and ``C_i`` = i and every j that does not match i::

        L = -1/2N sum_i [ log exp(s_ii) / sum_{j in C_i} exp(s_ij) + log exp(s_ii) / sum_{j: i in C_j} exp(s_ji) ]

    Args:
        queries_NW: unit vectors; row i belongs to row i of the documents.
        documents_NW: unit vectors.
        matches_NN: whether the words of query i are true of document j as well; the diagonal does not matter.
        temperature: positive; smaller ones push the nearest negatives harder.

    Raises:
        ValueError: for other shapes, no pairs, or a temperature that is not positive.
    """
    count = len(queries_NW)
    if not count or queries_NW.shape != documents_NW.shape or matches_NN.shape != (count, count):
        raise ValueError(
            f"pairs do not fit: {tuple(queries_NW.shape)}, {tuple(documents_NW.shape)}, {tuple(matches_NN.shape)}"
        )
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
    own_NN = torch.eye(count, dtype=torch.bool, device=queries_NW.device)
    scores_NN = (queries_NW @ documents_NW.T) / temperature
    scores_NN = scores_NN.masked_fill(matches_NN & ~own_NN, float("-inf"))
    by_query_N = scores_NN.diagonal() - scores_NN.logsumexp(dim=1)
    by_document_N = scores_NN.diagonal() - scores_NN.logsumexp(dim=0)
    found = (scores_NN.argmax(dim=1) == torch.arange(count, device=scores_NN.device)).float().mean()
    return ContrastiveLoss(-(by_query_N.mean() + by_document_N.mean()) / 2, found.detach())
