"""Saves workspace and report, or says in one line why not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from distill.dashboard.facts import read_facts
from distill.dashboard.report import save_report
from distill.dashboard.target import Target
from distill.dashboard.workspace import save_workspace
from distill.errors import DistillError, TrackingError
from distill.tracking.access import require_access
from distill.tracking.patience import within
from distill.tracking.wandb_settings import environment, first_line, server, stop_service

PATIENCE_SECONDS = 60.0
"""The longest that all of it may take; each request has a shorter limit of its own."""


@dataclass(frozen=True)
class Dashboard:
    """Where it is to be seen."""

    workspace: str
    report: str


def save_dashboard(target: Target) -> Dashboard:
    """Save an experiment's workspace and report in wandb, in the place of earlier ones.

    Raises:
        TrackingError: there is no key, no server, no such experiment there, or the server does not take it.
    """

    def save() -> Dashboard:
        facts = read_facts(target)
        return Dashboard(save_workspace(facts), save_report(facts))

    with TemporaryDirectory() as scratch, environment(Path(scratch)):
        try:
            require_access()
            return within(PATIENCE_SECONDS, save)
        except DistillError:
            raise
        except Exception as error:
            raise TrackingError(
                f"wandb: {server()} did not take the dashboard of '{target.experiment}' ({first_line(error)})"
            ) from error
        finally:
            stop_service()
