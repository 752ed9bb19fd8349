"""Peak memory of one model: a fresh process loads its graph, predicts, and reports its own high-water mark.

Run as a module it is that process: a request comes as JSON on standard input, the answer goes out likewise.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from distill.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distill.config.speed import SpeedConfig

STATUS = Path("/proc/self/status")


def peak_memory(folder: Path, texts: Sequence[str], *, config: SpeedConfig, trusted: Path) -> dict[str, int]:
    """Return what `measure_memory` finds in a process of its own.

    Args:
        folder: the model.
        texts: what it predicts, at the largest batch size.
        config: batch sizes and threads.
        trusted: the folder of the user's own modules.

    Raises:
        ModelError: the model cannot be loaded there.
    """
    request = {
        "folder": str(folder),
        "texts": list(texts),
        "batch_size": max(config.batch_sizes),
        "threads": config.threads,
        "trusted": str(trusted),
    }
    done = subprocess.run(  # noqa: S603 - the command is this file
        [sys.executable, "-m", __name__],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ModelError(f"{folder}: peak memory could not be measured ({reason})")
    found: dict[str, int] = json.loads(done.stdout)
    return found


def measure_memory(request: dict[str, Any]) -> dict[str, int]:
    """Load and predict in this process; return its peak, and what it had before the model, in bytes."""
    from distill.inference import load_student

    before = psutil.Process().memory_info().rss
    model = load_student(
        request["folder"],
        backend="onnx",
        threads=request["threads"],
        trust_custom_code=True,
        code_folder=request["trusted"],
    )
    model.predict_proba(request["texts"], batch_size=request["batch_size"])
    return {"peak_memory_bytes": _high_water_mark(), "memory_before_loading_bytes": before}


def _high_water_mark() -> int:
    """Return the most memory that was resident at once, in bytes.

    Not from getrusage where there is /proc: Linux hands a child the peak of the process that started it.
    """
    if STATUS.exists():
        line = next(
            line for line in STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM")
        )
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure_memory(json.load(sys.stdin))))
