"""The command that brings an artifact back from wandb."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from distill.cli.options import Commands, command

if TYPE_CHECKING:
    from distill.dashboard.artifacts import Reference, ServerArtifact
    from distill.dashboard.choosing import Wish
    from distill.dashboard.connection import Connection
    from distill.dashboard.pulling import Pulled


def declare(commands: Commands) -> None:
    """Declare the command."""
    parser = command(commands, pull, "download a student from wandb")
    parser.add_argument(
        "name",
        help="[[ENTITY/]PROJECT/]STUDENT[:ALIAS], such as quickstart-textcnn:best; with --best an experiment: "
        "its file, or [[ENTITY/]PROJECT/]NAME",
    )
    parser.add_argument(
        "--best",
        metavar="WISH",
        help="choose by metadata: 'quality where latency_p90_ms <= 5 and bytes < 1e7'",
    )
    parser.add_argument(
        "--machine", metavar="PART", help="only students measured on this machine, for --best"
    )
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="a new folder (default: ./NAME-VERSION)")
    parser.add_argument(
        "--trust-custom-code", action="store_true", help="import the class that the folder names"
    )
    parser.add_argument("--code-folder", type=Path, help="where that class is, if not installed and not here")


def pull(options: argparse.Namespace) -> int:
    """Download a student (or a teacher, or soft targets) from wandb, checked, and print its model card."""
    from distill.dashboard.artifacts import find_artifact
    from distill.dashboard.choosing import parse_wish
    from distill.dashboard.connection import connected
    from distill.dashboard.pulling import Trust, target_of
    from distill.dashboard.pulling import pull as download
    from distill.interruption import interruptible

    wish = parse_wish(options.best) if options.best is not None else None
    reference = _reference(options, wish)
    trust = Trust(options.trust_custom_code, options.code_folder or Path.cwd())
    with interruptible(), connected() as connection:
        if wish is None:
            artifact = find_artifact(connection, reference)
        else:
            artifact = _chosen(connection, reference, wish, options.machine)
        target = target_of(artifact, options.to)
        print(f"downloading {artifact.size / 1e6:.1f} MB", file=sys.stderr, flush=True)
        pulled = download(connection, artifact, target, trust)
    print(_described(pulled, trusted=options.trust_custom_code))
    return 0


def _reference(options: argparse.Namespace, wish: Wish | None) -> Reference:
    """Return what was named: an artifact or, with --best, an experiment."""
    from distill.dashboard.artifacts import Reference, parse_reference
    from distill.errors import ConfigError

    file = Path(options.name)
    is_file = file.suffix in {".yaml", ".yml"} or file.is_file()
    if wish is None and (is_file or options.machine):
        what = f"{file} is an experiment" if is_file else f"--machine {options.machine}"
        raise ConfigError(f"{what}: say what to choose with --best, such as --best quality")
    if is_file:
        from distill.config.loading import load_experiment

        experiment = load_experiment(file).experiment
        place = experiment.runtime.wandb
        return Reference(place.entity, place.project, experiment.name)
    if wish is not None and ":" in options.name:
        raise ConfigError(f"{options.name}: --best goes with an experiment, not with one artifact's version")
    return parse_reference(options.name)


def _chosen(connection: Connection, experiment: Reference, wish: Wish, machine: str | None) -> ServerArtifact:
    from distill.dashboard.artifacts import published_students
    from distill.dashboard.candidates import format_candidates
    from distill.dashboard.choosing import choose, on_machine

    published, left_out = published_students(connection, experiment)
    candidates = [one.candidate for one in published]
    if machine is not None:
        candidates = on_machine(candidates, machine)
    chosen = choose(candidates, wish)
    print(format_candidates(candidates, chosen, left_out) + "\n", flush=True)
    return next(one.artifact for one in published if one.candidate is chosen)


def _described(pulled: Pulled, *, trusted: bool) -> str:
    folder = shlex.quote(str(pulled.folder))
    if pulled.card is None:
        what = {"teacher": "a teacher", "soft-targets": "a teacher's soft targets", "dataset": "a data set"}
        return (
            f"{pulled.name} is {what[pulled.kind]}, not a student: it has no model card\nfolder    {folder}"
        )
    more = " --trust-custom-code" if trusted else ""
    places = [f"artifact  {pulled.name}", f"folder    {folder}"]
    return "\n".join([pulled.card, *places, f'predict   distill predict {folder}{more} --text "..."'])
