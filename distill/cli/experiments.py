"""Commands about one experiment: validate, plan, run, compare, schema."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from distill.cli.options import (
    Commands,
    command,
    experiment_tracker,
    load,
    make_plan,
    open_store,
    shared_results,
)

if TYPE_CHECKING:
    from distill.config.loading import LoadedExperiment


def declare(commands: Commands) -> None:
    """Declare the commands."""
    for action, text in (
        (validate, "check an experiment file"),
        (plan, "tell what would run and what is cached"),
        (run, "run an experiment"),
        (compare, "print the table of finished runs"),
    ):
        _experiment_options(command(commands, action, text))
    command(commands, schema, "print the JSON Schema of experiment files")


def validate(options: argparse.Namespace) -> int:
    """Check an experiment file."""
    experiment = load(options).experiment
    runs = len(experiment.students) * len(experiment.objectives) * len(experiment.seeds)
    print(
        f"{options.file}: fine, {runs} runs ({len(experiment.students)} students x "
        f"{len(experiment.objectives)} objectives x {len(experiment.seeds)} seeds)"
    )
    return 0


def plan(options: argparse.Namespace) -> int:
    """Tell what would run, and what the store holds already."""
    loaded = load(options)
    store = open_store(options, loaded)
    steps = list(make_plan(options, loaded, store).steps())
    held = [store.holds(step.stage, step.key) for step in steps]
    width = max(len(step.stage) for step in steps)
    for step, there in zip(steps, held, strict=True):
        print(f"{'cached' if there else 'to do ':6}  {step.stage:{width}}  {step.key}  {step.name}")
    print(f"{len(steps)} steps: {sum(held)} cached, {len(steps) - sum(held)} to do; store {store.root}")
    return 0


def run(options: argparse.Namespace) -> int:
    """Run an experiment; end with its table and the places of what it made."""
    return execute(options, load(options))


def execute(options: argparse.Namespace, loaded: LoadedExperiment, tags: Sequence[str] = ()) -> int:
    """Run an experiment that has been read, with further tags on each of its runs."""
    from distill.interruption import interruptible
    from distill.pipeline import run_experiment
    from distill.progress import ConsoleProgress

    # threads that spin long at barriers slow two runs on one machine down twenty times, threads that never spin
    # slow one run down by a fifth; read when torch is loaded
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    progress = ConsoleProgress(sys.stderr)
    store = open_store(options, loaded, progress)
    planned = make_plan(options, loaded, store)
    progress.expect(sum(1 for _ in planned.steps()))
    tracker = experiment_tracker(loaded, store, progress, tags)
    shared = shared_results(loaded, store, progress)
    with interruptible():
        try:
            outcome = run_experiment(planned, store, tracker, progress, shared)
        finally:
            parting = tracker.close()
            store.close()
    progress.close()
    print((outcome.frontier / "table.txt").read_text(encoding="utf-8"))
    for name, reason in outcome.failures.items():
        print(f"failed: {name}: {reason}")
    print("\n".join(f"{what:10}{place}" for what, place in _places(outcome.folder)))
    if parting:
        print(f"\n{parting}")
    return 1 if outcome.failures else 0


def compare(options: argparse.Namespace) -> int:
    """Print the table of the runs that have finished."""
    from distill.pipeline import compare_finished

    loaded = load(options)
    store = open_store(options, loaded)
    print(compare_finished(make_plan(options, loaded, store), store))
    return 0


def schema(options: argparse.Namespace) -> int:  # noqa: ARG001
    """Print the JSON Schema of an experiment file, for editors."""
    import json

    from distill.config.json_schema import experiment_schema

    print(json.dumps(experiment_schema(), indent=1, ensure_ascii=False))
    return 0


def _places(folder: Path) -> list[tuple[str, Path]]:
    pictures = [("picture", folder / "frontier.png"), ("page", folder / "frontier.html")]
    students = [("student", place.parent) for place in sorted(folder.glob("students/*/*/*/model.json"))]
    return pictures + students


def _experiment_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the experiment, a YAML file")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="override a value")
    parser.add_argument("--only", metavar="PATTERN", help="only runs of this name, such as 'textcnn/kd/*'")
    parser.add_argument(
        "--store", type=Path, help="where results are kept (default: runtime.store of the file)"
    )
