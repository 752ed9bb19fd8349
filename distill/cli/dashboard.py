"""The command that saves an experiment's dashboard."""

from __future__ import annotations

import argparse

from distill.cli.options import Commands, command


def declare(commands: Commands) -> None:
    """Declare the command."""
    parser = command(commands, dashboard, "save an experiment's workspace and report in wandb")
    parser.add_argument("experiment", help="its YAML file, its name, or ENTITY/PROJECT/NAME")


def dashboard(options: argparse.Namespace) -> int:
    """Save an experiment's workspace and report in wandb, in the place of earlier ones; print where they are."""
    from distill.dashboard.saving import save_dashboard
    from distill.dashboard.target import find_target

    saved = save_dashboard(find_target(options.experiment))
    print(f"workspace  {saved.workspace}")
    print(f"report     {saved.report}")
    return 0
