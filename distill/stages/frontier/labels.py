"""Names beside points, where they cover neither one another nor a point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from matplotlib.transforms import Bbox

from distill.charts import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

Place: TypeAlias = tuple[float, float]
Segment: TypeAlias = tuple[Place, Place]

PLACES = [
    (distance * across, distance * up)
    for distance in (11, 18, 28, 40, 54)
    for across, up in (
        (1, 0),
        (-1, 0),
        (0.8, 0.8),
        (-0.8, 0.8),
        (0.8, -0.8),
        (-0.8, -0.8),
        (0, 1.1),
        (0, -1.1),
    )
]
"""Where a name may stand, in points from its marker, the best first."""
MARKER = 15
"""The side of the square that a marker keeps free, in pixels at 100 dots per inch."""
LINE = 5
"""The width that a line keeps free, in such pixels."""
APART = 6
"""How far two names stay from one another, in such pixels: two that touch read as one."""


@dataclass(frozen=True)
class Label:
    """A name, and the point that it belongs to."""

    text: str
    x: float
    y: float
    colour: str


def place_labels(axes: Axes, labels: Sequence[Label], segments: Sequence[Segment]) -> None:
    """Write each label at the first place that covers no other label and no segment; a point is one without length.

    The axes must stand where they are going to stay.
    """
    taken = [_around(axes, *segment) for segment in segments]
    inside = axes.get_window_extent()
    for label in sorted(labels, key=lambda each: -each.y):
        choices = [_write(axes, label, place) for place in PLACES]
        boxes = [choice.get_window_extent() for choice in choices]
        best = min(range(len(choices)), key=lambda i: (_trouble(boxes[i], taken, inside), i))
        taken.append(boxes[best].padded(APART))
        for i, choice in enumerate(choices):
            if i != best:
                choice.remove()


def _write(axes: Axes, label: Label, place: tuple[float, float]) -> Annotation:
    across, up = place
    return axes.annotate(
        plain(label.text),
        (label.x, label.y),
        xytext=place,
        textcoords="offset points",
        ha="center" if across == 0 else "left" if across > 0 else "right",
        va="center" if up == 0 else "bottom" if up > 0 else "top",
        fontsize=9.5,
        fontweight="bold",
        color=label.colour,
        zorder=6,
    )


def _around(axes: Axes, start: Place, end: Place) -> Bbox:
    """Return the box of a marker, or of a line, with room to spare."""
    corners = axes.transData.transform([start, end])
    (left, bottom), (right, top) = corners.min(axis=0), corners.max(axis=0)
    half = (MARKER if start == end else LINE) / 2
    return Bbox.from_extents(left - half, bottom - half, right + half, top + half)


def _trouble(box: Bbox, taken: Sequence[Bbox], inside: Bbox) -> float:
    """Return the area of a label that lies over something else or outside of the axes."""
    covered = sum(_shared(box, other) for other in taken)
    return covered + box.width * box.height - _shared(box, inside)


def _shared(one: Bbox, other: Bbox) -> float:
    shared = Bbox.intersection(one, other)
    return 0.0 if shared is None else shared.width * shared.height
