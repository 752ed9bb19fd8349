"""Kill an experiment with SIGKILL at random moments, give the same command again, and compare every quality figure.

    python benchmarks/kill_and_resume.py experiments/quickstart.yaml [--kills 5] [--seed 0] [--stores FOLDER]

One store receives an uninterrupted run, the other one is killed `--kills` times at moments drawn over the time that
the uninterrupted run took. Ends with 0 only if every figure of every evaluation is the same to the last digit, and
every weight to the last bit. An uninterrupted store of an earlier call is used again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def main() -> int:
    """Run, kill, resume, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stores", type=Path, help="a folder for both stores; a temporary one by default")
    parser.add_argument("--set", action="append", default=[], help="passed on to distill run")
    options = parser.parse_args()
    folder = options.stores or Path(tempfile.mkdtemp())
    command = [sys.executable, "-m", "distill.cli", "run", str(options.experiment)]
    command += [part for value in options.set for part in ("--set", value)]
    straight, killed = folder / "straight", folder / "killed"
    subprocess.run([*command, "--store", str(straight)], check=True, stdout=subprocess.DEVNULL)
    length = seconds_from_first_to_last(straight)
    print(f"uninterrupted: {length:.0f} s from the first result to the last", flush=True)
    rng = random.Random(options.seed)
    moments = sorted(rng.uniform(0.02, 0.95) * length for _ in range(options.kills))
    spent = [b - a for a, b in zip([0.0, *moments], moments, strict=False)]
    for number, seconds in enumerate(spent, start=1):
        where = run_and_kill([*command, "--store", str(killed)], seconds)
        print(f"kill {number}: after {seconds:.0f} s, {where}", flush=True)
    subprocess.run([*command, "--store", str(killed)], check=True, stdout=subprocess.DEVNULL)
    return compare(straight, killed)


def seconds_from_first_to_last(store: Path) -> float:
    """Return how long the results took, also for a store that an earlier call has filled."""
    made = [path.stat().st_mtime for path in (store / "results").glob("*/*/manifest.json")]
    return max(made) - min(made)


def run_and_kill(command: list[str], seconds: float) -> str:
    """Start a command and kill it; return in which step it was."""
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=told)
        try:
            process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        told.seek(0)
        steps = [line.strip() for line in told if line.startswith("[")]
    return f"in {steps[-1]}" if steps else "before the first step"


def compare(straight: Path, killed: Path) -> int:
    """Print what differs; return 0 when nothing does."""
    ours, theirs = figures(straight), figures(killed)
    different = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    for name in different:
        print(f"differs: {name}")
    print(f"{len(ours)} results compared, {len(different)} differ")
    return 1 if different or not ours else 0


def figures(store: Path) -> dict[str, Any]:
    """Return all metrics, logits and weights of a store, by stage, key and file."""
    found: dict[str, Any] = {}
    for path in sorted((store / "results").glob("*/*/*")):
        name = str(path.relative_to(store))
        if path.name in {"metrics.json", "calibration.json"} and "evaluation" in path.parts:
            found[name] = json.loads(path.read_text(encoding="utf-8"))
        elif path.name in {"weights.safetensors", "validation.parquet", "test.parquet", "train.parquet"}:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


if __name__ == "__main__":
    sys.exit(main())
