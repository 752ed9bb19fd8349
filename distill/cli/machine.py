"""The command about this machine."""

from __future__ import annotations

import argparse

from distill.cli.options import Commands, command


def declare(commands: Commands) -> None:
    """Declare the command."""
    parser = command(commands, doctor, "tell what this machine offers")
    parser.add_argument(
        "--wandb",
        action="store_true",
        help="try the wandb server instead: log runs and an artifact, read them back, compare, delete them",
    )


def doctor(options: argparse.Namespace) -> int:
    """Tell what this machine offers, and what is missing; or, with --wandb, whether the wandb server does its part."""
    return _try_wandb() if options.wandb else _describe_machine()


def _try_wandb() -> int:
    from distill.dashboard.round_trip import round_trip

    failed = []
    for step in round_trip():
        failed += [step.name] if step.failure else []
        told = f"{'FAILED' if step.failure else 'ok':6}  {step.seconds:5.1f} s  {step.name}"
        print(f"{told}: {step.failure}" if step.failure else told, flush=True)
    print(f"wandb: failed: {', '.join(failed)}" if failed else "wandb: the round trip is well")
    return 1 if failed else 0


def _describe_machine() -> int:
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
