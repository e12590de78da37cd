"""How many pixels each kept item is shown with: Eq. 8, and the size that a grant buys.

Pure functions of the graph and its energies. A grant is for one item; the frames of a video share it equally.
Resizing itself happens where pixels live.
"""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from memory_graph.energy import ItemKey, kept_items
from memory_graph.graph import MemoryGraph, VisualItem

FACTOR = 32  # px; one visual token of Qwen3-VL is 32x32 (16 px patches, merged 2x2)
TOKEN_PIXELS = FACTOR * FACTOR
TOTAL_PIXELS = 5 * 256 * TOKEN_PIXELS  # S_total of the paper: 1,310,720 px = 1,280 visual tokens
MAX_RATIO = 200  # of the sides; Qwen's image processors refuse more
TOP_K = 5  # items over the whole graph; a video clip is one item


class Allocation(StrEnum):
    """How kept items get their pixels."""

    ENERGY = "energy"  # in proportion to their energies; at inference
    EQUAL = "equal"  # all alike
    FIXED = "fixed"  # a fixed share to each, independent of energies; in training
    NONE = "none"  # nothing is shown


class GrantedSize(NamedTuple):
    """Pixels."""

    width: int
    height: int


class _Claim(NamedTuple):
    """One candidate: its weight, what it can use at most, and below what it is not shown (pixels)."""

    key: ItemKey
    weight: Fraction  # exact, so that shares never add up to more than the total
    cap: int
    least: int


def allocate(  # noqa: PLR0913 - the limits and options of Eq. 8 are few and belong together
    graph: MemoryGraph,
    energies: Mapping[ItemKey, float],
    *,
    total_pixels: int,
    top_k: int = TOP_K,
    min_pixels: int = 0,
    allocation: Allocation = Allocation.ENERGY,
    waterfill: bool = True,
) -> dict[ItemKey, int]:
    """Pixels granted to each item that is shown (b of Eq. 8); an absent item is not shown. Creation order.

    ``energy`` shares ``total_pixels`` among the ``top_k`` items of highest energy in proportion to it;
    ``equal`` shares it evenly among all kept items; ``fixed``, for training, gives ``total_pixels / top_k``
    to each of at most ``top_k`` items, those of highest priority (newer first), so that prompts do not depend
    on energies; ``none`` shows nothing. ``energies`` is read by ``energy`` only.

    ``waterfill`` [ours] gives what an item cannot use (its native size is below its share) to the others;
    without it, and always in ``fixed``, it stays unused as in the paper. [ours] A share below ``min_pixels``,
    or below one visual token a frame, is dropped, weakest first, and redistributed (in ``fixed`` only
    dropped), unless it shows the item at native size.

    The grants sum to at most ``total_pixels``; none exceeds the pixels that its item has at native size, in
    whole tokens.

    Raises:
        ValueError: a limit out of range, or (with ``energy``) an energy that is missing,
            negative or not finite.
    """
    _require_limits(total_pixels, top_k, min_pixels)
    if allocation is Allocation.NONE:
        return {}
    by_energy = allocation is Allocation.ENERGY
    ranked = _ranked(graph, energies if by_energy else None)
    if allocation is not Allocation.EQUAL:
        ranked = ranked[:top_k]
    weights = {key: _weight(energies[key]) if by_energy else Fraction(1) for key, _ in ranked}
    claims = [_claim(key, item, weights[key], min_pixels) for key, item in ranked if weights[key]]
    if allocation is Allocation.FIXED:
        share = total_pixels // top_k
        granted = {claim.key: min(share, claim.cap) for claim in claims if share >= claim.least}
    else:
        granted = _share(claims, total_pixels, waterfill)
    return {key: granted[key] for key in kept_items(graph) if key in granted}


def shrink(width: int, height: int, pixels: int, *, factor: int = FACTOR) -> GrantedSize:
    """The size at which an image of ``width`` x ``height`` is shown for at most ``pixels``.

    Both sides are scaled by sqrt(pixels / (width * height)), never up, and rounded down to multiples of
    ``factor``, so the true cost never exceeds ``pixels``. A side is at least ``factor``: a smaller native
    side is padded up to one token. Neither is more than ``MAX_RATIO`` times the other.

    Raises:
        ValueError: a size below 1, or fewer pixels than one token.
    """
    if width < 1 or height < 1 or factor < 1:
        raise ValueError(f"an image of {width}x{height} cannot be shown in tokens of {factor} px")
    if pixels < factor * factor:
        raise ValueError(f"{pixels} pixels do not pay for one token of {factor}x{factor}")
    area = width * height
    # isqrt(w^2 b / wh) = floor(w * sqrt(b / wh)) without rounding errors
    wide = width if pixels >= area else math.isqrt(width * width * pixels // area)
    high = height if pixels >= area else math.isqrt(height * height * pixels // area)
    # a side raised to one token may overdraw; the other one pays for it
    affordable = pixels // (factor * factor)
    tokens = [min(max(side // factor, 1), affordable) for side in (wide, high)]
    legal = MAX_RATIO * min(tokens)  # a strip that was thinner is squeezed to it
    return GrantedSize(*(min(side, legal) * factor for side in tokens))


def shown_size(item: VisualItem, pixels: int) -> GrantedSize:
    """The size of the item's image, or of each of its frames, when ``pixels`` is its whole grant."""
    return shrink(item.width, item.height, pixels // item.num_frames)


def native_pixels(item: VisualItem) -> int:
    """What the item costs at native size in whole tokens, all frames together."""
    width, height = shrink(item.width, item.height, max(item.width * item.height, TOKEN_PIXELS))
    return width * height * item.num_frames


def _ranked(graph: MemoryGraph, energies: Mapping[ItemKey, float] | None) -> list[tuple[ItemKey, VisualItem]]:
    """Kept items, strongest first, by their energies or else by their priorities.

    Ties go to the newer node, then to the order within the node.
    """
    items = kept_items(graph)
    strength = {key: item.priority for key, item in items.items()} if energies is None else energies
    for key in items:
        if not math.isfinite(strength.get(key, math.nan)) or strength[key] < 0:
            raise ValueError(f"the energy of {key} must be finite and not negative, got {strength.get(key)}")
    newest_first = {node.id: -index for index, node in enumerate(graph.nodes)}
    return sorted(items.items(), key=lambda pair: (-strength[pair[0]], newest_first[pair[0][0]]))


def _weight(energy: float) -> Fraction:
    """The energy without its binary rounding: 0.8 is 4/5, so that no share is one pixel short for it."""
    return Fraction(energy).limit_denominator(10**12)


def _claim(key: ItemKey, item: VisualItem, weight: Fraction, min_pixels: int) -> _Claim:
    cap = native_pixels(item)
    return _Claim(key, weight, cap, max(min(min_pixels, cap), item.num_frames * TOKEN_PIXELS))


def _share(ranked: Sequence[_Claim], total: int, waterfill: bool) -> dict[ItemKey, int]:
    """Shares of ``total``; the weakest claim below its least is dropped until none is."""
    claims = list(ranked)
    while claims:
        shares = _filled(claims, total) if waterfill else _proportional(claims, total)
        poor = [claim for claim in claims if shares[claim.key] < claim.least]
        if not poor:
            return {claim.key: min(shares[claim.key], claim.cap) for claim in claims}
        claims.remove(poor[-1])
    return {}


def _proportional(claims: Sequence[_Claim], total: int) -> dict[ItemKey, int]:
    whole = sum(claim.weight for claim in claims)
    return {claim.key: math.floor(total * claim.weight / whole) for claim in claims}


def _filled(claims: Sequence[_Claim], total: int) -> dict[ItemKey, int]:
    """Water-filling: claims in the order in which they fill up; a full one leaves its rest to later ones."""
    left, rest = Fraction(total), sum(claim.weight for claim in claims)
    shares: dict[ItemKey, int] = {}
    for claim in sorted(claims, key=lambda claim: claim.cap / claim.weight):
        share = min(left * claim.weight / rest, Fraction(claim.cap))
        shares[claim.key] = math.floor(share)
        left, rest = left - share, rest - claim.weight
    return shares


def _require_limits(total_pixels: int, top_k: int, min_pixels: int) -> None:
    if total_pixels < 0 or top_k < 1 or min_pixels < 0:
        raise ValueError(
            f"limits out of range: total_pixels {total_pixels}, top_k {top_k}, min_pixels {min_pixels}"
        )
