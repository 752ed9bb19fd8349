"""What a sweep's agents have in common: made and published once, and checked on each machine."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from distill.cli.options import experiment_tracker, load, make_plan, open_store, shared_results

if TYPE_CHECKING:
    from distill.config.loading import LoadedExperiment
    from distill.config.sweep import SweepConfig
    from distill.plan import Plan

SHARE = "runtime.wandb.share=true"


def publish_shared(options: argparse.Namespace) -> tuple[list[str], str]:
    """Make and publish what agents share; return the overrides that fix it, and the key of the soft targets.

    Raises:
        TrackingError: the server cannot be reached, or has not got all of it.
    """
    from distill.dashboard.connection import connected
    from distill.errors import TrackingError
    from distill.hardware import detect
    from distill.interruption import interruptible
    from distill.pipeline import make_shared
    from distill.progress import ConsoleProgress
    from distill.tracking import Journals

    runtime = load(options).experiment.runtime
    if runtime.wandb.mode in {"offline", "disabled"}:
        raise TrackingError(
            f"{options.file}: runtime.wandb.mode is '{runtime.wandb.mode}', but a sweep needs the server; "
            "say --set runtime.wandb.mode=auto"
        )
    hardware = detect(runtime.accelerator, runtime.threads)
    # figures, and so keys, depend on these: agents take them from here, not from their own machine
    accelerator = "cpu" if hardware.device == "cpu" else "gpu"
    machine = [f"runtime.threads={hardware.threads}", f"runtime.accelerator={accelerator}"]
    options.set = [*options.set, *machine, SHARE]
    loaded, progress = load(options), ConsoleProgress(sys.stderr)
    store = open_store(options, loaded, progress)
    with connected():
        pass  # now, not after hours of training
    plan = make_plan(options, loaded, store)
    progress.expect(6 if plan.baseline else 4)
    tracker = experiment_tracker(loaded, store, progress)
    with interruptible():
        try:
            make_shared(plan, store, tracker, progress, shared_results(loaded, store, progress))
        finally:
            parting = tracker.close()
            store.close()
    progress.close()
    if Journals(store.root).unsent_of(loaded.experiment.name, _keys(plan)):
        raise TrackingError(f"what agents share is not on the server yet; {parting or 'give `distill sync`'}")
    return options.set, plan.soft_targets.key


def _keys(plan: Plan) -> list[str]:
    shared = (plan.data, plan.teacher.model, plan.soft_targets, plan.baseline and plan.baseline.model)
    return [step.key for step in shared if step]


def sweep_section(options: argparse.Namespace, loaded: LoadedExperiment) -> SweepConfig:
    """Return what is to be swept.

    Raises:
        ConfigError: the file has no such section.
    """
    from distill.errors import ConfigError

    if loaded.experiment.sweep is None:
        raise ConfigError(f"{options.file}: there is no section `sweep`; docs/sweep.md shows one")
    return loaded.experiment.sweep


def check_shared(sweep_name: str, wanted: str, plan: Plan, options: argparse.Namespace) -> None:
    """Check that this machine has, or would make, the soft targets that a sweep's agents share.

    Raises:
        TrackingError: it would make others.
    """
    from distill.errors import TrackingError

    if plan.soft_targets.key != wanted:
        raise TrackingError(
            f"{sweep_name}: its agents share the soft targets {wanted[:12]}, and this machine would make others "
            f"({plan.soft_targets.key[:12]}): {options.file}, its data, a library's version or the processor differs "
            "from where the sweep was made; `distill plan` and `distill doctor` tell what is here"
        )
