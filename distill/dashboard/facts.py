"""What the server knows of an experiment: enough to say which figures its panels show."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from distill.errors import TrackingError, did_you_mean
from distill.result_files import PER_LABEL_SUMMARY
from distill.tracking.access import owner, public_api

if TYPE_CHECKING:
    from collections.abc import Sequence

    import wandb

    from distill.dashboard.target import Target

SEEN_RUNS = 500
"""How many runs are looked at, newest first: labels and metric are the same in all of an experiment."""


@dataclass(frozen=True)
class Facts:
    """An experiment as the server has it."""

    entity: str
    project: str
    experiment: str
    metric: str
    """The validation metric by which models are ranked, as `macro_ap`."""
    per_label: tuple[str, ...]
    """The summary's keys of one figure for each label."""


def read_facts(target: Target) -> Facts:
    """Ask the server about an experiment.

    Raises:
        TrackingError: it has no such project, or no student of that experiment.
    """
    from distill.metrics import SELECTION_METRICS

    api = public_api()
    entity = owner(api, target.entity)
    place = f"{entity}/{target.project}"
    students = _runs(api, place, {"group": target.experiment, "jobType": "student"})
    if not students:
        raise TrackingError(_no_such(api, place, target.experiment))
    data = students[0].config["data"]
    task = "single_label" if data["labels"] is None else "multi_label"
    return Facts(
        entity,
        target.project,
        target.experiment,
        SELECTION_METRICS[task],
        _per_label(students, data["labels"] or data["classes"] or ()),
    )


def _per_label(students: Sequence[wandb.apis.public.Run], labels: Sequence[str]) -> tuple[str, ...]:
    """Return the keys that some student has, in the order of the labels."""
    ordered = [f"{PER_LABEL_SUMMARY}{label}" for label in labels]
    there = {key for run in students for key in dict(run.summary) if key.startswith(PER_LABEL_SUMMARY)}
    return (*(key for key in ordered if key in there), *sorted(there.difference(ordered)))


def _runs(api: wandb.Api, place: str, filters: dict[str, Any]) -> Sequence[wandb.apis.public.Run]:
    try:
        return list(islice(api.runs(place, filters=filters, lazy=False), SEEN_RUNS))
    except ValueError as error:
        if "not find project" not in str(error):
            raise
        raise TrackingError(f"wandb: there is no project {place}; run the experiment online first") from error


def _no_such(api: wandb.Api, place: str, experiment: str) -> str:
    there = sorted({run.group for run in _runs(api, place, {"jobType": "student"}) if run.group})
    return (
        f"wandb: {place} has no student of the experiment '{experiment}'{did_you_mean(experiment, there)} "
        f"(experiments there: {', '.join(there) or 'none'})"
    )
