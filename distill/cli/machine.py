"""The command about this machine."""

from __future__ import annotations

import argparse

from distill.cli.options import Commands, command


def declare(commands: Commands) -> None:
    """Declare the command."""
    command(commands, doctor, "tell what this machine offers")


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
