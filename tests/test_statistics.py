from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.statistics import hypervolume, pareto_front

grid = st.integers(0, 6).map(float)
plane = st.lists(st.tuples(grid, grid), max_size=12)


def beats(one, other):
    return one[0] >= other[0] and one[1] <= other[1] and one != other


@given(plane)
def test_front_is_what_nothing_beats(points):
    quality, cost = [p[0] for p in points], [p[1] for p in points]
    expected = [not any(beats(other, point) for other in points) for point in points]
    assert pareto_front(quality, cost).tolist() == expected


@given(plane)
def test_hypervolume_counts_the_dominated_cells(points):
    """On a whole-number grid the area is the number of unit cells that some point dominates."""
    quality, cost = [p[0] for p in points], [p[1] for p in points]
    cells = sum(any(q >= y + 1 and c <= x for q, c in points) for y in range(1, 8) for x in range(5))
    assert hypervolume(quality, cost, reference=(1.0, 5.0)) == cells


@given(plane, st.tuples(grid, grid))
def test_hypervolume_never_shrinks(points, added):
    area = [
        hypervolume([q for q, _ in some], [c for _, c in some], (0.0, 7.0))
        for some in (points, [*points, added])
    ]
    assert area[1] >= area[0]


def test_equal_points_share_the_front_and_nan_is_never_on_it():
    assert pareto_front([0.5, 0.5, 0.4, math.nan, 0.9], [1.0, 1.0, 1.0, 0.1, math.nan]).tolist() == [
        True, True, False, False, False,
    ]  # fmt: skip


def test_no_points():
    assert pareto_front([], []).shape == (0,)
    assert hypervolume([], [], (0.0, 1.0)) == 0.0


def test_lengths_must_agree():
    with pytest.raises(ValueError, match=r"two lists of one length, got shapes \(2,\) and \(1,\)"):
        pareto_front(np.array([1.0, 2.0]), np.array([1.0]))
