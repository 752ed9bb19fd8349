"""The panels of workspace and report, in the order of the questions that they answer."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from distill.dashboard.facts import Facts

LATENCY = "speed/latency_p90_ms"
CONTRIBUTION = "frontier/hypervolume_contribution"
GROUPS = ("student", "objective")
"""The curves of all seeds of a student and an objective are one, with its spread."""

CURVES = {
    "train/loss": "Loss",
    "train/learning_rate": "Learning rate",
    "train/gradient_norm": "Norm of the gradient",
    "train/texts_per_second": "Texts a second",
}


def quality(facts: Facts) -> str:
    """Return the summary's key of what models are ranked by."""
    return f"validation/{facts.metric}"


def columns(facts: Facts) -> list[str]:
    """Return the columns of the table of runs."""
    return [
        "run:displayName",
        *(f"summary:{key}" for key in (CONTRIBUTION, quality(facts), LATENCY, "size/bytes")),
    ]


def runs_of(facts: Facts, job_type: str | None = None) -> str:
    """Return the filter for an experiment's runs, all or those of one box of the flow."""
    of_group = f'Metric("Group") == "{facts.experiment}"'
    return f'{of_group} and Metric("JobType") == "{job_type}"' if job_type else of_group


def scatter(reports: ModuleType, facts: Facts) -> Any:
    """Return quality against latency; only students have both figures."""
    return reports.ScatterPlot(
        title=f"Students: {quality(facts)} against p90 latency (ms)",
        x=reports.SummaryMetric(LATENCY),
        y=reports.SummaryMetric(quality(facts)),
        log_x=True,
        layout=reports.Layout(w=12, h=10),
    )


def pictures(reports: ModuleType) -> list[Any]:
    """Return what the frontier's run has drawn."""
    shown = {"frontier": "Frontier", "frontier_page": "Frontier, to be explored"}
    return [
        reports.MediaBrowser(
            title=title, num_columns=1, media_keys=[key], layout=reports.Layout(w=12, h=12, x=12 * number)
        )
        for number, (key, title) in enumerate(shown.items())
    ]


def per_label(reports: ModuleType, facts: Facts) -> list[Any]:
    """Return the bars for each label, and the whole table that they are taken from."""
    bars = reports.BarPlot(
        title="Average precision on test, for each label",
        metrics=[reports.SummaryMetric(key) for key in facts.per_label],
        range_x=(0.0, 1.0),
        max_bars_to_show=200,
        layout=reports.Layout(w=12, h=14),
    )
    table = reports.WeavePanelSummaryTable(table_name="per_label", layout=reports.Layout(x=12, w=12, h=14))
    return [*([bars] if facts.per_label else []), table]


def curves(reports: ModuleType, facts: Facts) -> list[Any]:
    """Return the curves over optimiser steps."""
    shown = CURVES | {quality(facts): f"Validation: {facts.metric}"}
    return [
        reports.LinePlot(
            title=title,
            x="step",
            y=[key],
            title_x="optimiser step",
            layout=reports.Layout(x=12 * (number % 2), y=8 * (number // 2), w=12, h=8),
        )
        for number, (key, title) in enumerate(shown.items())
    ]
