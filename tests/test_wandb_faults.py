"""Whatever fails, and whenever: nothing stops, nothing hangs, and after `distill sync` nothing is lost or doubled."""

import pytest
from fault_matrix import CASES, attempt

QUICK = {("no key", "start"), ("SIGKILL", "middle")}
LIMIT = 45
"""Seconds; the longest that a failure may keep an experiment that takes one second."""


@pytest.mark.parametrize(
    ("fault", "moment"),
    [case if case in QUICK else pytest.param(*case, marks=pytest.mark.slow) for case in CASES],
)
def test_nothing_is_lost_or_doubled(fault, moment):
    found = attempt(fault, moment)
    assert found.exit_code == 0
    assert found.seconds < LIMIT
    assert (found.rows, found.doubled, found.artifacts, found.edges, found.summaries) == (62, 0, 2, 1, 3)
    assert (found.sync_exit_code, found.again) == (0, "3 runs, 3 there"), found.sync_said
