"""The interactive page: one file that works offline, with a choice of what quality is set against."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from distill.charts import INK, MUTED
from distill.stages.frontier.picture import conditions, looks
from distill.stages.frontier.points import METRIC_TITLES
from distill.stages.frontier.table import speedup

if TYPE_CHECKING:
    from pathlib import Path

    from distill.stages.frontier.points import Arm, Comparison

SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "hexagon", "x")
CHOICES = {
    "latency_p90_ms": "latency of one text, p90 (ms)",
    "latency_p50_ms": "latency of one text, p50 (ms)",
    "throughput": "throughput (texts a second)",
    "bytes": "graph and tokenizer on disk (bytes)",
    "parameters": "parameters",
}


def draw_page(comparison: Comparison, experiment: str, path: Path) -> None:
    """Write the page, with plotly's script inside."""
    import plotly.graph_objects as go

    arms = [arm for arm in comparison.arms if arm.mean("quality") is not None]
    figure = go.Figure([_trace(arm, comparison) for arm in arms])
    front = comparison.front()
    figure.add_trace(
        go.Scatter(
            x=[arm.mean("latency_p90_ms") for arm in front],
            y=[arm.mean("quality") for arm in front],
            mode="lines",
            line={"shape": "hv", "color": "#98a2b3", "width": 1.5},
            name="Pareto front",
            hoverinfo="skip",
        )
    )
    subtitle = f"<br><span style='font-size:13px;color:{MUTED}'>{conditions(comparison)}</span>"
    figure.update_layout(
        title={"text": f"<b>{experiment}: how much model is needed?</b>{subtitle}", "x": 0.02},
        template="plotly_white",
        font={"family": "Inter, Helvetica, Arial, sans-serif", "color": INK},
        xaxis={"type": "log", "title": CHOICES["latency_p90_ms"]},
        yaxis={"title": f"test {METRIC_TITLES[comparison.metric]}"},
        updatemenus=[_menu(arms, comparison)],
        margin={"t": 110},
    )
    page = figure.to_html(include_plotlyjs=True, full_html=True, div_id="frontier")
    title = f"<title>{escape(experiment)}: quality against speed</title>"
    path.write_text(page.replace("<head>", f"<head>{title}", 1), encoding="utf-8")


def _trace(arm: Arm, comparison: Comparison) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": [arm.mean("latency_p90_ms")],
        "y": [arm.mean("quality")],
        "name": arm.name,
        "marker": _marker(arm, comparison),
        "hovertext": [_hover(arm, comparison)],
        "hoverinfo": "text",
    }


def _marker(arm: Arm, comparison: Comparison) -> dict[str, Any]:
    if arm.first.role == "teacher":
        return {"symbol": "star", "size": 18, "color": INK}
    if arm.first.role == "baseline":
        return {"symbol": "x-thin", "size": 12, "color": INK, "line": {"width": 3, "color": INK}}
    colour, _ = looks(comparison)[arm.first.student]
    symbol = SYMBOLS[list(comparison.students).index(arm.first.student) % len(SYMBOLS)]
    fill = "white" if arm.first.control else colour
    return {"symbol": symbol, "size": 13, "color": fill, "line": {"width": 2.5, "color": colour}}


def _hover(arm: Arm, comparison: Comparison) -> str:
    """Return what is told of a point under the pointer: all of its figures."""
    control = comparison.control_of(arm)
    gain = arm.minus(control) if control else None
    faster = speedup(arm, comparison)
    lines = [
        f"<b>{arm.name}</b>" + (" (control)" if arm.first.control else ""),
        f"test {METRIC_TITLES[comparison.metric]}: {arm.mean('quality'):.4f}",
        None if gain is None else f"against its control: {gain:+.4f}",
        f"seeds: {len(arm.points)}",
        None if faster is None else f"{faster:.1f} times as fast as the teacher",
        *(f"{title}: {arm.mean(name):,.4g}" for name, title in CHOICES.items() if arm.mean(name) is not None),
        arm.first.note or None,
    ]
    return "<br>".join(line for line in lines if line)


def _menu(arms: list[Arm], comparison: Comparison) -> dict[str, Any]:
    """Return buttons that set the horizontal axis; the front is of latency or, for what should be low, its own."""
    buttons = []
    for name, title in CHOICES.items():
        front = () if name == "throughput" else comparison.front(name)
        x = [*([arm.mean(name)] for arm in arms), [arm.mean(name) for arm in front]]
        y = [*([arm.mean("quality")] for arm in arms), [arm.mean("quality") for arm in front]]
        buttons.append(
            {"label": title, "method": "update", "args": [{"x": x, "y": y}, {"xaxis.title.text": title}]}
        )
    return {
        "buttons": buttons,
        "direction": "down",
        "x": 1.0,
        "xanchor": "right",
        "y": 1.13,
        "yanchor": "top",
    }
