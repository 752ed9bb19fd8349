"""Peak memory of one model: a fresh process loads its graph, predicts, and reports its own high-water mark.

Run as a module it is that process: a request comes as JSON on standard input, the answer goes out likewise.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from distill.errors import DistillError, ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from distill.config.speed import SpeedConfig

STATUS = Path("/proc/self/status")


def peak_memory(
    name: str, folder: Path, texts: Sequence[str], *, config: SpeedConfig, trusted: Path
) -> dict[str, int]:
    """Return what `measure_memory` finds in a process of its own.

    Args:
        name: the model's name, for messages.
        folder: the model.
        texts: what it predicts, at the largest batch size.
        config: batch sizes and threads.
        trusted: the folder of the user's own modules.

    Raises:
        ModelError: the model cannot be loaded there, or its user's code failed.
    """
    request = {
        "name": name,
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
    if done.returncode != 0 or not done.stdout:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ModelError(f"peak memory of {name} could not be measured ({reason})")
    found: dict[str, int] | str = json.loads(done.stdout)
    if isinstance(found, str):
        raise ModelError(found)
    return found


def measure_memory(request: dict[str, Any]) -> dict[str, int]:
    """Load and predict in this process; return its peak, and what it had before the model, in bytes.

    Raises:
        ModelError: the model cannot be loaded, or its user's code failed.
    """
    from distill.custom_code import named
    from distill.inference import Predictor
    from distill.model_folder import read_model

    before, who = psutil.Process().memory_info().rss, f"peak memory of {request['name']}"
    with named(who):
        model = read_model(Path(request["folder"]), trust_custom_code=True, beside=Path(request["trusted"]))
    with named(who, model.config):
        predictor = Predictor(model, "onnx", threads=request["threads"])
        predictor.predict_proba(request["texts"], batch_size=request["batch_size"])
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


def _answer(request: dict[str, Any]) -> dict[str, int] | str:
    """Return the figures, or the message for what the user can mend."""
    try:
        with redirect_stdout(sys.stderr):  # what a user's code prints is no part of the answer
            return measure_memory(request)
    except DistillError as error:
        return str(error)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_answer(json.load(sys.stdin))))
