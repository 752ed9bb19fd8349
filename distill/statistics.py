"""Figures over several models: who is on the Pareto front, and how much of the plane a front covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distill.contracts import Array


def pareto_front(quality: Sequence[float] | Array, cost: Sequence[float] | Array) -> npt.NDArray[np.bool_]:
    """Tell which points no other point beats: higher quality is better, and lower cost.

    A point is beaten by one that is at least as good in both and better in one. Points that are equal in
    both do not beat each other, so all of them are on the front. A point with a NaN never is.

    Args:
        quality: what should be high, [N].
        cost: what should be low, [N].

    Returns:
        Whether each point is on the front, bool [N].
    """
    high, low = _pairs(quality, cost)
    front = np.zeros(len(high), dtype=bool)
    known = np.flatnonzero(~(np.isnan(high) | np.isnan(low)))
    best, best_cost = -np.inf, np.inf
    cheapest_first = known[np.lexsort((-high[known], low[known]))]  # and of equally cheap ones the best
    for i in cheapest_first:
        if high[i] > best or (high[i] == best and low[i] == best_cost):
            front[i] = True
            best, best_cost = high[i], low[i]
    return front


def hypervolume(
    quality: Sequence[float] | Array, cost: Sequence[float] | Array, reference: tuple[float, float]
) -> float:
    """Return the area that the front dominates, up to a reference point.

    It grows whenever a point is added that no other one beats (Zitzler and Thiele, 1998). Compare it only
    between fronts that share the reference.

    Args:
        quality: what should be high, [N].
        cost: what should be low, [N]; hand over logarithms for an area in ratios.
        reference: the worst (quality, cost) that counts; points beyond it add nothing.

    Returns:
        The area, in units of quality times units of cost.
    """
    high, low = _pairs(quality, cost)
    floor, ceiling = reference
    front = pareto_front(high, low) & (high > floor) & (low < ceiling)
    order = np.flatnonzero(front)[np.argsort(low[front], kind="stable")]
    area, covered = 0.0, floor
    for i in order:
        area += (high[i] - covered) * (ceiling - low[i])
        covered = high[i]
    return float(area)


def _pairs(quality: Sequence[float] | Array, cost: Sequence[float] | Array) -> tuple[Array, Array]:
    high, low = np.asarray(quality, dtype=np.float64), np.asarray(cost, dtype=np.float64)
    if high.ndim != 1 or high.shape != low.shape:
        raise ValueError(
            f"quality and cost must be two lists of one length, got shapes {high.shape} and {low.shape}"
        )
    return high, low
