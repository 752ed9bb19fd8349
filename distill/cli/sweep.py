"""Commands about sweeps: make one, join one, and what agents run."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.cli.experiments import execute
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
    from distill.config.sweep import SweepConfig
    from distill.dashboard.sweeps import Sweep
    from distill.plan import Plan

SHARE = "runtime.wandb.share=true"


def declare(commands: Commands) -> None:
    """Declare the commands; `sweep-run` is for agents, not for people, and the help leaves it out."""
    people = command(commands, sweep, "try the settings of the section `sweep` on several machines")
    people.add_argument("--agents", type=_count, metavar="N", help="run N agents here, to the sweep's end")
    people.add_argument("--join", metavar="SWEEP", help="run agents here (1) for a sweep that is there")
    agents = commands.add_parser("sweep-run", description=sweep_run.__doc__)
    agents.set_defaults(command=sweep_run)
    agents.add_argument("--soft-targets", required=True, help="the key of the soft targets that agents share")
    agents.add_argument("--setting", required=True, help="what the sweep has chosen, as JSON")
    for parser in (people, agents):
        parser.add_argument("file", type=Path, help="the experiment, a YAML file with a section `sweep`")
        parser.add_argument(
            "--set", action="append", default=[], metavar="PATH=VALUE", help="override a value"
        )
        parser.add_argument("--store", type=Path, help="where results are kept (default: runtime.store)")
        parser.set_defaults(only=None)


def sweep(options: argparse.Namespace) -> int:
    """Make data, teacher and soft targets once, then let agents on any machine try settings of the students."""
    from distill.dashboard.sweeps import best_of

    found = _joined(options) if options.join else _made(options)
    count = options.agents or (1 if options.join else 0)
    if not count:
        return 0
    failed = _run_agents(options, found, count)
    best = best_of(found, _store_folder(options) / "wandb")
    if best is None:
        print(f"{found.path}: no run has ended with a figure")
        return 1
    chosen = [f"{path}={json.dumps(value)}" for path, value in best.overrides.items()]
    others = f" ({best.running} still running)" if best.running else ""
    print(f"best of {best.finished}{others}: {', '.join(chosen)}")
    print(f"        {best.run}, validation {best.metric} {best.value:.4f}")
    words = [word for text in (*found.command.overrides, *chosen) for word in ("--set", text)]
    print(f"again:  {_shell('distill', 'run', options.file, *_store_option(options), *words)}")
    return 1 if failed else 0


def sweep_run(options: argparse.Namespace) -> int:
    """Try one setting of a sweep, and tell its run what came of it. Agents call this."""
    from distill.dashboard.sweep_result import sweep_summary
    from distill.dashboard.sweep_run import agents_sweep
    from distill.dashboard.sweep_run import sweep_run as open_run
    from distill.pipeline import compared

    sweep_id, general = agents_sweep(), load(options)
    section = _section(options, general)
    setting = _setting(options, section)
    options.set = [*options.set, *(f"{path}={json.dumps(value)}" for path, value in setting.items())]
    loaded = load(options)
    store = open_store(options, loaded)
    plan = make_plan(options, loaded, store)
    _check_shared(f"sweep {sweep_id}", options.soft_targets, plan, options)
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


def _made(options: argparse.Namespace) -> Sweep:
    """Make what all agents share, see that the server has it, and make the sweep."""
    from distill.dashboard.sweep_settings import AgentCommand, wandb_sweep
    from distill.dashboard.sweeps import create_sweep

    loaded = load(options)
    section = _section(options, loaded)
    pinned, key = _publish_shared(options)
    wandb = loaded.experiment.runtime.wandb
    config = wandb_sweep(loaded.experiment, section, AgentCommand(key, tuple(pinned)))
    made = create_sweep(config, wandb.project, wandb.entity, _store_folder(options) / "wandb")
    print(f"sweep:  {made.url}")
    print(f"agents: {_shell('distill', 'sweep', options.file, '--join', made.path)}")
    print("        (here, or on any machine that has the file, its data and a key)", flush=True)
    return made


def _publish_shared(options: argparse.Namespace) -> tuple[list[str], str]:
    """Make and publish what agents share; return the overrides that fix it, and the key of the soft targets."""
    from distill.errors import TrackingError
    from distill.hardware import detect
    from distill.interruption import interruptible
    from distill.pipeline import make_shared
    from distill.progress import ConsoleProgress
    from distill.tracking.wandb_settings import environment, require_access, stop_service

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
    with environment(store.root / "wandb"):
        try:
            require_access()
        finally:
            stop_service()
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
    if parting:
        raise TrackingError(f"what agents share is not on the server yet; {parting}")
    return options.set, plan.soft_targets.key


def _joined(options: argparse.Namespace) -> Sweep:
    """Find a sweep, and see that this machine would share what its other agents share."""
    from distill.dashboard.sweeps import find_sweep
    from distill.errors import ConfigError

    if options.set:
        raise ConfigError("--set: goes with making a sweep, not with --join: all agents take the same values")
    loaded = load(options)
    _section(options, loaded)
    wandb = loaded.experiment.runtime.wandb
    found = find_sweep(options.join, wandb.project, wandb.entity, _store_folder(options) / "wandb")
    options.set = list(found.command.overrides)
    loaded = load(options)
    store = open_store(options, loaded)
    _check_shared(found.path, found.command.soft_targets, make_plan(options, loaded, store), options)
    store.close()
    return found


def _run_agents(options: argparse.Namespace, found: Sweep, count: int) -> bool:
    """Run agents until the sweep has nothing left for them; tell whether one has failed."""
    from distill.dashboard.agents import Agents
    from distill.interruption import interruptible

    agents = Agents(found.path, options.file, _store_folder(options))
    with interruptible():
        try:
            agents.start(count)
            for number, line in agents.lines():
                print(f"agent {number + 1} | {line}", file=sys.stderr, flush=True)
        finally:
            agents.stop()
    failed = agents.failed()
    for number in failed:
        print(f"agent {number + 1} failed", file=sys.stderr)
    return bool(failed)


def _section(options: argparse.Namespace, loaded: LoadedExperiment) -> SweepConfig:
    from distill.errors import ConfigError

    if loaded.experiment.sweep is None:
        raise ConfigError(f"{options.file}: there is no section `sweep`; docs/sweep.md shows one")
    return loaded.experiment.sweep


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


def _check_shared(sweep_name: str, wanted: str, plan: Plan, options: argparse.Namespace) -> None:
    from distill.errors import TrackingError

    if plan.soft_targets.key != wanted:
        raise TrackingError(
            f"{sweep_name}: its agents share the soft targets {wanted[:12]}, and this machine would make others "
            f"({plan.soft_targets.key[:12]}): {options.file}, its data, a library's version or the processor differs "
            "from where the sweep was made; `distill plan` and `distill doctor` tell what is here"
        )


def _store_folder(options: argparse.Namespace) -> Path:
    root: Path = options.store or Path(load(options).experiment.runtime.store)
    return root.absolute()


def _store_option(options: argparse.Namespace) -> Sequence[str]:
    return ("--store", str(options.store)) if options.store else ()


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, got {text!r}")
    return int(text)


def _shell(*words: object) -> str:
    return shlex.join(str(word) for word in words)
