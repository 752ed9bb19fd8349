"""An experiment's report: the same panels as a page to read, each set with the question that it answers."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import distill.dashboard.panels as shown
from distill.dashboard.facts import Facts
from distill.dashboard.sdk import load
from distill.tracking.access import public_api

GROUPED = [f"config.{name}" for name in shown.GROUPS]


def save_report(facts: Facts) -> str:
    """Save the report, new or in the place of an earlier one of the same title, and return its address."""
    _, reports = load()
    report = _found_or_new(reports, facts)
    report.description = (
        "Quality against speed. Made by `distill dashboard`, which makes it anew when given again."
    )
    report.width = "fluid"
    report.blocks = _blocks(reports, facts)
    return str(report.save().url)


def _found_or_new(reports: ModuleType, facts: Facts) -> Any:
    title = f"distill {facts.experiment}"
    for report in public_api().reports(f"{facts.entity}/{facts.project}"):
        if report.display_name == title:
            return reports.Report.from_url(report.url)
    return reports.Report(entity=facts.entity, project=facts.project, title=title)


def _blocks(reports: ModuleType, facts: Facts) -> list[Any]:
    scatter = shown.scatter(reports, facts)
    scatter.layout.w = 24
    return [
        reports.H2("Which student is good enough, and fast enough?"),
        reports.P("Test quality against latency as the experiment has drawn it; a star is on the front."),
        _grid(reports, _runs(reports, facts, "frontier"), shown.pictures(reports)),
        reports.H2("What does each student add?"),
        reports.P(
            "Students, the one first whose loss would cost the frontier most. Quality is validation's."
        ),
        _grid(reports, _runs(reports, facts, "student"), [scatter], with_table=True),
        reports.H2("Which labels are hard?"),
        _grid(reports, _runs(reports, facts, "student", GROUPED), shown.per_label(reports, facts)),
        reports.H2("How did training go?"),
        _grid(reports, _runs(reports, facts, "student", GROUPED), shown.curves(reports, facts)),
    ]


def _grid(reports: ModuleType, runs: Any, panels: list[Any], *, with_table: bool = False) -> Any:
    return reports.PanelGrid(runsets=[runs], panels=panels, hide_run_sets=not with_table)


def _runs(reports: ModuleType, facts: Facts, job_type: str, groups: list[str] | None = None) -> Any:
    columns = shown.columns(facts)
    return reports.Runset(
        entity=facts.entity,
        project=facts.project,
        name=facts.experiment,
        filters=shown.runs_of(facts, job_type),
        groupby=groups or [],
        order=[reports.OrderBy(reports.SummaryMetric(shown.CONTRIBUTION), ascending=False)],
        pinned_columns=columns[:1],
        visible_columns=columns[1:],
        lock_columns=True,
    )
