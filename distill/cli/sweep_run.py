"""The command that agents run for each setting of a sweep."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from distill.cli.experiments import execute
from distill.cli.options import load, make_plan, open_store
from distill.cli.sweep_shared import check_shared, sweep_section

if TYPE_CHECKING:
    from distill.config.sweep import SweepConfig


def sweep_run(options: argparse.Namespace) -> int:
    """Try one setting of a sweep, and tell its run what came of it. Agents call this."""
    from distill.dashboard.sweep_result import sweep_summary
    from distill.dashboard.sweep_run import agents_sweep
    from distill.dashboard.sweep_run import sweep_run as open_run
    from distill.pipeline import compared

    sweep_id, general = agents_sweep(), load(options)
    section = sweep_section(options, general)
    setting = _setting(options, section)
    options.set = [*options.set, *(f"{path}={json.dumps(value)}" for path, value in setting.items())]
    loaded = load(options)
    store = open_store(options, loaded)
    plan = make_plan(options, loaded, store)
    check_shared(f"sweep {sweep_id}", options.soft_targets, plan, options)
    tag = f"sweep-{sweep_id}"
    about = {
        "group": loaded.experiment.name,
        "name": " ".join(f"{path.rpartition('.')[2]}={json.dumps(value)}" for path, value in setting.items()),
        "tags": [*loaded.experiment.runtime.wandb.tags, tag],
        "config": {
            "experiment": loaded.experiment.name,
            "teacher": plan.teacher.model.key,
            "soft_targets": plan.soft_targets.key,
        },
    }
    with open_run(about, store.root / "wandb") as tell:
        execute(options, loaded, [tag])
        summary = sweep_summary(compared(plan, store), section.student, section.objective)
        if summary is None:
            print("no student that counts for the sweep has finished", file=sys.stderr)
            return 1
        tell(summary)
    store.close()
    return 0


def _setting(options: argparse.Namespace, section: SweepConfig) -> dict[str, Any]:
    """Return what the sweep has chosen, if the file lets it: a server does not decide what else is set."""
    from distill.errors import TrackingError

    setting = json.loads(options.setting)
    for path in setting:
        if path not in section.parameters:
            known = ", ".join(section.parameters)
            raise TrackingError(
                f"the sweep sets '{path}', which is not in the section `sweep` of {options.file} ({known})"
            )
    return {path: section.exactly(path, value) for path, value in setting.items()}
