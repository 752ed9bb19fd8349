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

SERVER_OPTIONS = ("group", "tag", "student", "to")


def declare(commands: Commands) -> None:
    """Declare the commands."""
    for action, text in (
        (validate, "check an experiment file"),
        (plan, "tell what would run and what is cached"),
        (run, "run an experiment"),
    ):
        _experiment_options(command(commands, action, text))
    comparing = command(commands, compare, "print the table of finished runs, from the store or from wandb")
    _experiment_options(comparing, or_project=True)
    _server_options(comparing)
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
    if address := tracker.address():
        print(f"{'wandb':10}{address}")
    if parting:
        print(f"\n{parting}")
    return 1 if outcome.failures else 0


def compare(options: argparse.Namespace) -> int:
    """Print the table of the runs that have finished: of an experiment here, or of a whole project in wandb."""
    from distill.errors import ConfigError
    from distill.pipeline import compare_finished

    if not options.file.is_file() and options.file.suffix not in {".yaml", ".yml"}:
        return _compare_on_server(options)
    if given := [name for name in SERVER_OPTIONS if getattr(options, name) is not None]:
        raise ConfigError(
            f"--{given[0]}: goes with a project in wandb, and {options.file} is an experiment file"
        )
    loaded = load(options)
    store = open_store(options, loaded)
    print(compare_finished(make_plan(options, loaded, store), store))
    return 0


def _compare_on_server(options: argparse.Namespace) -> int:
    """Print a table for each experiment and machine."""
    from distill.dashboard.artifacts import parse_project
    from distill.dashboard.comparing import describe_left_out, make_tables
    from distill.dashboard.connection import connected
    from distill.dashboard.runs import Wanted, read_runs
    from distill.errors import ConfigError

    if given := [name for name in ("set", "only", "store") if getattr(options, name)]:
        raise ConfigError(f"--{given[0]}: goes with an experiment file, and there is no file {options.file}")
    where = parse_project(str(options.file))
    with connected() as connection:
        runs = read_runs(
            connection, where.place(connection), Wanted(options.group, options.tag, options.student)
        )
    tables, left_out = make_tables(runs)
    titles = [f"## {table.title}\n\n" if len(tables) > 1 else "" for table in tables]
    print("\n\n".join(f"{title}{table}" for title, table in zip(titles, tables, strict=True)))
    if left_out.total():
        print(f"\n{describe_left_out(left_out)}")
    if options.to is not None:
        from distill.dashboard.drawing import draw_tables

        print("\n".join(["", *(f"frontier  {folder}" for folder in draw_tables(tables, options.to))]))
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


def _server_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--group", metavar="EXPERIMENT", help="in wandb: only runs of this experiment")
    parser.add_argument("--tag", help="in wandb: only runs with this tag")
    parser.add_argument(
        "--student", metavar="NAME", help="in wandb: only this student, with teacher and baseline"
    )
    parser.add_argument(
        "--to", type=Path, metavar="FOLDER", help="from wandb: write pictures, pages and tables here"
    )


def _experiment_options(parser: argparse.ArgumentParser, *, or_project: bool = False) -> None:
    also = "; or [ENTITY/]PROJECT in wandb" if or_project else ""
    parser.add_argument("file", type=Path, help=f"the experiment, a YAML file{also}")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="override a value")
    parser.add_argument("--only", metavar="PATTERN", help="only runs of this name, such as 'textcnn/kd/*'")
    parser.add_argument(
        "--store", type=Path, help="where results are kept (default: runtime.store of the file)"
    )
