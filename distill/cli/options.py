"""What several commands have in common: how they are declared, and how experiment and store are opened."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from distill.config.loading import LoadedExperiment
    from distill.contracts import Progress, Tracker
    from distill.plan import Plan
    from distill.progress import ConsoleProgress
    from distill.store import Store
    from distill.tracking import SharedResults

Command: TypeAlias = Callable[[argparse.Namespace], int]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no other name


def command(
    commands: Commands,
    action: Command,
    text: str,
    name: str | None = None,
) -> argparse.ArgumentParser:
    """Declare a command, named after its function, and return its parser."""
    found = commands.add_parser(name or action.__name__, help=text, description=action.__doc__)
    found.set_defaults(command=action)
    return found


def load(options: argparse.Namespace) -> LoadedExperiment:
    """Read the experiment that was named."""
    from distill.config.loading import load_experiment

    return load_experiment(options.file, options.set)


def make_plan(options: argparse.Namespace, loaded: LoadedExperiment, store: Store) -> Plan:
    """Work out the steps of an experiment on this machine."""
    from distill.hardware import detect
    from distill.plan import Plan

    runtime = loaded.experiment.runtime
    return Plan(loaded, store, detect(runtime.accelerator, runtime.threads), only=options.only)


def open_store(
    options: argparse.Namespace, loaded: LoadedExperiment, progress: ConsoleProgress | None = None
) -> Store:
    """Open the store that the option or the experiment names."""
    from distill.store import Store

    return Store(options.store or Path(loaded.experiment.runtime.store), progress=progress)


def experiment_tracker(
    loaded: LoadedExperiment, store: Store, progress: Progress, tags: Sequence[str] = ()
) -> Tracker:
    """Return what tracks the experiment's runs, with further tags on each."""
    from distill.tracking import open_tracker

    wandb = loaded.experiment.runtime.wandb
    return open_tracker(
        mode=wandb.mode,
        project=wandb.project,
        entity=wandb.entity,
        experiment=loaded.experiment.name,
        store_root=store.root,
        tags=(*wandb.tags, *tags),
        progress=progress,
    )


def shared_results(loaded: LoadedExperiment, store: Store, progress: Progress) -> SharedResults | None:
    """Return what takes results from other machines, if the experiment wants that."""
    from distill.tracking import SharedResults

    experiment = loaded.experiment
    wandb = experiment.runtime.wandb
    if not wandb.share or wandb.mode in {"offline", "disabled"}:
        return None
    models = (experiment.teacher, experiment.baseline)
    return SharedResults(
        project=wandb.project,
        entity=wandb.entity,
        experiment=experiment.name,
        store_root=store.root,
        mode=wandb.mode,
        kinds={model.kind for model in models if model is not None},
        progress=progress,
    )


def store_at(root: Path | None) -> Store:
    """Open a store that is there already.

    Raises:
        StoreError: there is none.
    """
    from distill.errors import StoreError
    from distill.store import Store

    place = root or Path(".distill")
    if not place.is_dir():
        raise StoreError(f"{place}: no store there; name one with --store")
    return Store(place)
