"""The command about sweeps: make one, or join one."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from distill.cli.options import Commands, command, load, make_plan, open_store
from distill.cli.sweep_run import sweep_run
from distill.cli.sweep_shared import check_shared, publish_shared, sweep_section

if TYPE_CHECKING:
    from distill.dashboard.sweeps import Sweep


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


def _made(options: argparse.Namespace) -> Sweep:
    """Make what all agents share, see that the server has it, and make the sweep."""
    from distill.dashboard.sweep_settings import AgentCommand, wandb_sweep
    from distill.dashboard.sweeps import create_sweep
    from distill.errors import ConfigError
    from distill.tracking.redaction import redacted

    loaded = load(options)
    section = sweep_section(options, loaded)
    for text in options.set:
        if redacted(text) != text:
            raise ConfigError(
                f"--set {redacted(text)}: holds a secret, and agents read overrides from the server"
            )
    pinned, key = publish_shared(options)
    wandb = loaded.experiment.runtime.wandb
    config = wandb_sweep(loaded.experiment, section, AgentCommand(key, tuple(pinned)))
    made = create_sweep(config, wandb.project, wandb.entity, _store_folder(options) / "wandb")
    print(f"sweep:  {made.url}")
    print(f"agents: {_shell('distill', 'sweep', options.file, '--join', made.path)}")
    print("        (here, or on any machine that has the file, its data and a key)", flush=True)
    return made


def _joined(options: argparse.Namespace) -> Sweep:
    """Find a sweep, and see that this machine would share what its other agents share."""
    from distill.dashboard.sweeps import find_sweep
    from distill.errors import ConfigError

    if options.set:
        raise ConfigError("--set: goes with making a sweep, not with --join: all agents take the same values")
    loaded = load(options)
    sweep_section(options, loaded)
    wandb = loaded.experiment.runtime.wandb
    found = find_sweep(options.join, wandb.project, wandb.entity, _store_folder(options) / "wandb")
    options.set = list(found.command.overrides)
    loaded = load(options)
    store = open_store(options, loaded)
    check_shared(found.path, found.command.soft_targets, make_plan(options, loaded, store), options)
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
