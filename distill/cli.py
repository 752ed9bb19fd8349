"""The command line. Only it prints and exits.

Exit codes: 0 done, 1 a run failed, 2 something that the user can mend, 143 stopped.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distill.config.loading import LoadedExperiment
    from distill.plan import Plan
    from distill.progress import ConsoleProgress
    from distill.store import Store

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit code."""
    options = _parser().parse_args(arguments)
    from distill.errors import DistillError, InterruptedRunError

    command: Command = options.command
    try:
        return _flushed(command(options))
    except DistillError as error:
        print(error, file=sys.stderr)
        return 2
    except (InterruptedRunError, KeyboardInterrupt):
        print("distill: stopped; give the same command again to go on", file=sys.stderr)
        return 143
    except BrokenPipeError:  # `| head` has read what it wanted
        _drop_output()
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _drop_output()
        print("standard output: cannot be written (the disk is full)", file=sys.stderr)
        return 2


def validate(options: argparse.Namespace) -> int:
    """Check an experiment file."""
    experiment = _load(options).experiment
    runs = len(experiment.students) * len(experiment.objectives) * len(experiment.seeds)
    print(
        f"{options.file}: fine, {runs} runs ({len(experiment.students)} students x "
        f"{len(experiment.objectives)} objectives x {len(experiment.seeds)} seeds)"
    )
    return 0


def plan(options: argparse.Namespace) -> int:
    """Tell what would run, and what the store holds already."""
    loaded = _load(options)
    store = _open_store(options, loaded)
    steps = list(_plan(options, loaded, store).steps())
    held = [store.holds(step.stage, step.key) for step in steps]
    width = max(len(step.stage) for step in steps)
    for step, there in zip(steps, held, strict=True):
        print(f"{'cached' if there else 'to do ':6}  {step.stage:{width}}  {step.key}  {step.name}")
    print(f"{len(steps)} steps: {sum(held)} cached, {len(steps) - sum(held)} to do; store {store.root}")
    return 0


def run(options: argparse.Namespace) -> int:
    """Run an experiment; end with its table and the places of what it made."""
    from distill.interruption import interruptible
    from distill.pipeline import run_experiment
    from distill.progress import ConsoleProgress
    from distill.tracking import open_tracker

    # threads that spin long at barriers slow two runs on one machine down twenty times, threads that never spin
    # slow one run down by a fifth; read when torch is loaded
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    loaded = _load(options)
    runtime = loaded.experiment.runtime
    progress = ConsoleProgress(sys.stderr)
    store = _open_store(options, loaded, progress)
    planned = _plan(options, loaded, store)
    progress.expect(sum(1 for _ in planned.steps()))
    tracker = open_tracker(
        mode=runtime.wandb.mode,
        project=runtime.wandb.project,
        entity=runtime.wandb.entity,
        experiment=loaded.experiment.name,
        store_root=store.root,
        tags=runtime.wandb.tags,
        progress=progress,
    )
    with interruptible():
        try:
            outcome = run_experiment(planned, store, tracker, progress)
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

    loaded = _load(options)
    store = _open_store(options, loaded)
    print(compare_finished(_plan(options, loaded, store), store))
    return 0


def predict(options: argparse.Namespace) -> int:
    """Print probabilities for texts, as a table or as JSON lines."""
    import json

    from distill.inference import load_student

    model = load_student(
        options.folder,
        backend=options.backend,
        trust_custom_code=options.trust_custom_code,
        code_folder=options.code_folder or Path.cwd(),
    )
    texts = _given_texts(options.text) if options.text else _read_texts(options.file)
    for found in model.predict(texts):
        if options.json:
            line = {"text": found.text, "probabilities": found.probabilities, "labels": list(found.labels)}
            print(json.dumps(line, ensure_ascii=False))
        else:
            shown = "  ".join(f"{name} {p:.4f}" for name, p in found.probabilities.items())
            print(f"{shown}  -> {', '.join(found.labels) or '(none)'}  | {found.text}")
    return 0


def schema(options: argparse.Namespace) -> int:  # noqa: ARG001
    """Print the JSON Schema of an experiment file, for editors."""
    import json

    from distill.config.json_schema import experiment_schema

    print(json.dumps(experiment_schema(), indent=1, ensure_ascii=False))
    return 0


def store_ls(options: argparse.Namespace) -> int:
    """List what the store holds."""
    store = _store_at(options.store)
    entries = store.entries()
    for entry in entries:
        state = "" if entry.finished else "  (unfinished)"
        print(
            f"{entry.bytes / 1e6:10.1f} MB  {entry.last_used:%Y-%m-%d %H:%M}  {entry.stage:12}  {entry.key}  "
            f"{entry.name}{state}"
        )
    print(f"{len(entries)} results, {sum(entry.bytes for entry in entries) / 1e6:.1f} MB in {store.root}")
    return 0


def store_prune(options: argparse.Namespace) -> int:
    """Remove what none of the given experiments needs."""
    store = _store_at(options.store)
    keep: set[tuple[str, str]] = set()
    for file in options.keep:
        options.file, options.only, options.set = file, None, []
        keep |= {(step.stage, step.key) for step in _plan(options, _load(options), store).steps()}
    pruned = store.prune(keep, dry_run=options.dry_run)
    did = "would remove" if options.dry_run else "removed"
    print(f"{did} {len(pruned.removed)} results, {pruned.bytes / 1e6:.1f} MB")
    if pruned.in_use:
        print(f"{len(pruned.in_use)} more are in use by another process and stay")
    return 0


def doctor(options: argparse.Namespace) -> int:  # noqa: ARG001
    """Tell what this machine offers, and what is missing."""
    from distill.hardware import detect, library_versions
    from distill.tracking import describe_access

    hardware = detect()
    print(
        f"processor  {hardware.processor}, {hardware.threads} of {hardware.logical_cores} threads, "
        f"bf16 {'yes' if hardware.has_bf16 else 'no'}"
    )
    print(f"device     {hardware.device}")
    print(f"memory     {hardware.memory_bytes / 2**30:.1f} GiB")
    for name, version in library_versions().items():
        print(f"{name:18} {version}")
    print(f"wandb      {describe_access()}")
    return 0


def _load(options: argparse.Namespace) -> LoadedExperiment:
    from distill.config.loading import load_experiment

    return load_experiment(options.file, options.set)


def _plan(options: argparse.Namespace, loaded: LoadedExperiment, store: Store) -> Plan:
    from distill.hardware import detect
    from distill.plan import Plan

    runtime = loaded.experiment.runtime
    return Plan(loaded, store, detect(runtime.accelerator, runtime.threads), only=options.only)


def _open_store(
    options: argparse.Namespace, loaded: LoadedExperiment, progress: ConsoleProgress | None = None
) -> Store:
    from distill.store import Store

    return Store(options.store or Path(loaded.experiment.runtime.store), progress=progress)


def _store_at(root: Path | None) -> Store:
    from distill.errors import StoreError
    from distill.store import Store

    place = root or Path(".distill")
    if not place.is_dir():
        raise StoreError(f"{place}: no store there; name one with --store")
    return Store(place)


def _places(folder: Path) -> list[tuple[str, Path]]:
    pictures = [("picture", folder / "frontier.png"), ("page", folder / "frontier.html")]
    students = [("student", place.parent) for place in sorted(folder.glob("students/*/*/*/model.json"))]
    return pictures + students


def _given_texts(texts: list[str]) -> list[str]:
    from distill.errors import DataError

    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:  # Python smuggles bytes that are no UTF-8 in as half characters
            raise DataError(f"--text: not UTF-8 (character {error.start + 1})") from None
    return texts


def _read_texts(file: Path) -> list[str]:
    from distill.errors import DataError

    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        texts = [line for line in content.decode().splitlines() if line.strip()]
    except FileNotFoundError:
        raise DataError(f"{file}: no such file") from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{file}:{line}: byte 0x{content[error.start]:02x} is not valid UTF-8") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read ({error.strerror})") from None
    if not texts:
        raise DataError(f"{file}: there is no text in it; expected one on each line")
    return texts


def _flushed(code: int) -> int:
    """Return the exit code once all is printed: here a reader that went away, or a full disk, can be answered."""
    sys.stdout.flush()
    return code


def _drop_output() -> None:
    """Forget what is left to print, about which Python would complain when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="distill",
        description="Compare teacher-student pairs for text classification: quality against speed.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command, text in (
        (validate, "check an experiment file"),
        (plan, "tell what would run and what is cached"),
        (run, "run an experiment"),
        (compare, "print the table of finished runs"),
    ):
        _experiment_options(_command(commands, command, text))
    _predict_options(_command(commands, predict, "probabilities for texts, from a student's folder"))
    _command(commands, schema, "print the JSON Schema of experiment files")
    _store_commands(commands)
    _command(commands, doctor, "tell what this machine offers")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    command: Command,
    text: str,
    name: str | None = None,
) -> argparse.ArgumentParser:
    found = commands.add_parser(name or command.__name__, help=text, description=command.__doc__)
    found.set_defaults(command=command)
    return found


def _experiment_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="the experiment, a YAML file")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="override a value")
    parser.add_argument("--only", metavar="PATTERN", help="only runs of this name, such as 'textcnn/kd/*'")
    parser.add_argument(
        "--store", type=Path, help="where results are kept (default: runtime.store of the file)"
    )


def _predict_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="a student's folder")
    texts = parser.add_mutually_exclusive_group(required=True)
    texts.add_argument("--text", action="append", help="a text; may be given several times")
    texts.add_argument("--file", type=Path, help="a file with a text a line, or - for standard input")
    parser.add_argument("--json", action="store_true", help="print a JSON object for each text")
    parser.add_argument("--backend", choices=("onnx", "torch"), help="ONNX Runtime or eager PyTorch")
    parser.add_argument(
        "--trust-custom-code", action="store_true", help="import the class that the folder names"
    )
    parser.add_argument("--code-folder", type=Path, help="where that class is, if not installed and not here")


def _store_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    store = commands.add_parser("store", help="list or prune what is kept").add_subparsers(
        required=True, metavar="WHAT"
    )
    _command(store, store_ls, "list what is kept", name="ls")
    prune = _command(store, store_prune, "remove what no experiment needs", name="prune")
    prune.add_argument("keep", type=Path, nargs="+", help="experiment files whose results stay")
    prune.add_argument("--dry-run", action="store_true", help="only tell what would be removed")
    for parser in (store.choices["ls"], prune):
        parser.add_argument("--store", type=Path, help="the store (default: .distill)")


if __name__ == "__main__":
    sys.exit(main())
