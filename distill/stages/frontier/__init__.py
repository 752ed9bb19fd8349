"""Quality against speed, on one picture: who is on the Pareto front, and what the teacher was worth.

Writes `frontier.json`, `frontier.csv`, `frontier.png`, `frontier.html` and `table.txt`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from distill.result_files import read_json, write_json
from distill.stages.frontier.points import COST, REFERENCE, Comparison, Point, collect
from distill.stages.frontier.table import format_table

if TYPE_CHECKING:
    from pathlib import Path

    from distill.contracts import Workbench

__all__ = ["Comparison", "Point", "collect", "draw", "format_table", "place_on_frontier"]

DATA, TABLE = "frontier.json", "table.txt"


def draw(comparison: Comparison, *, experiment: str, bench: Workbench) -> None:
    """Write the comparison as data, as a table, as a picture and as a page.

    Args:
        comparison: what `collect` found.
        experiment: its name, for the title.
        bench: where the result goes.
    """
    from distill.stages.frontier.page import draw_page
    from distill.stages.frontier.picture import draw_picture

    description = describe(comparison, experiment)
    write_json(bench.result / DATA, description)
    (bench.result / TABLE).write_text(format_table(comparison) + "\n", encoding="utf-8")
    _write_csv(description["points"], bench)
    draw_picture(comparison, experiment, bench.result / "frontier.png")
    draw_page(comparison, experiment, bench.result / "frontier.html")
    bench.log.picture("frontier", bench.result / "frontier.png")
    bench.log.picture("frontier_page", bench.result / "frontier.html")
    bench.log.summary({"frontier/hypervolume": description["hypervolume"]["value"]})


def place_on_frontier(folder: Path, name: str) -> dict[str, Any]:
    """Return what the frontier says of one model.

    Args:
        folder: what `draw` has filled.
        name: the model, as `textcnn/kd/seed0`.
    """
    point = next(point for point in read_json(folder / DATA)["points"] if point["name"] == name)
    return {f"frontier/{key}": point[key] for key in ("on_front", "hypervolume_contribution")}


def describe(comparison: Comparison, experiment: str) -> dict[str, Any]:
    """Return everything that the picture shows, and under which conditions it was measured."""
    fronts = {cost: {arm.name for arm in comparison.front(cost)} for cost in (COST, "bytes")}
    gains = {point.name: comparison.contribution(arm) for arm in comparison.arms for point in arm.points}
    on_front = {point.name for arm in comparison.arms if arm.name in fronts[COST] for point in arm.points}
    return {
        "experiment": experiment,
        "metric": comparison.metric,
        "machine": comparison.machine,
        "conditions": comparison.conditions,
        "warning": comparison.warning(),
        "front": sorted(fronts[COST]),
        "front_by_size": sorted(fronts["bytes"]),
        "hypervolume": {
            "value": comparison.hypervolume(),
            "reference": {"quality": REFERENCE[0], COST: REFERENCE[1]},
            "cost_scale": "log10",
        },
        "points": [
            asdict(point)
            | {"on_front": point.name in on_front, "hypervolume_contribution": gains[point.name]}
            for point in comparison.points
        ],
    }


def _write_csv(points: list[dict[str, Any]], bench: Workbench) -> None:
    """Write a row for each point, its test metrics in columns of their own."""
    import pandas as pd

    rows = []
    for point in points:
        plain = {key: value for key, value in point.items() if key != "metrics"}
        rows.append(plain | {f"test_{name}": value for name, value in point["metrics"].items()})
    table = pd.DataFrame(rows)
    table.to_csv(bench.result / "frontier.csv", index=False)
    bench.log.table(
        "frontier", list(table.columns), table.astype(object).where(table.notna(), None).to_numpy().tolist()
    )
