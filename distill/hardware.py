"""What the machine is and what runs on it: both change numbers, so they enter fingerprints. No torch here."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal, TypeAlias

import psutil

from distill.errors import ConfigError

Accelerator: TypeAlias = Literal["auto", "cpu", "gpu", "mps"]
Device: TypeAlias = Literal["cpu", "cuda", "mps"]

PROCESSORS = Path("/proc/cpuinfo")
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
MACHINE_ID = Path("/etc/machine-id")
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")

BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""Of x86 and, the last one, of arm."""

LIBRARIES = (
    *("torch", "pytorch-lightning", "transformers", "tokenizers", "gensim", "scikit-learn"),
    *("numpy", "scipy", "datasets", "onnx", "onnxruntime", "onnxscript"),
)


@dataclass(frozen=True)
class Hardware:
    """The machine, and the part of it that is used."""

    processor: str
    logical_cores: int
    threads: int
    has_bf16: bool
    """Whether the processor multiplies bf16 in hardware."""
    device: Device
    memory_bytes: int
    system: str
    """Operating system and architecture, as `Linux x86_64`."""

    @property
    def lightning_accelerator(self) -> str:
        """The device, as Lightning calls it."""
        return "gpu" if self.device == "cuda" else self.device


def detect(accelerator: Accelerator = "auto", threads: int | None = None) -> Hardware:
    """Describe this machine.

    Args:
        accelerator: `auto` takes a graphics processor where torch can use one.
        threads: how many to use; None takes OMP_NUM_THREADS or else the processors that this process may use.

    Raises:
        ConfigError: a graphics processor is asked for and there is none that torch can use.
    """
    return Hardware(
        processor=_processor(),
        logical_cores=os.cpu_count() or 1,
        threads=threads or _threads_of_environment() or usable_processors(),
        has_bf16=_has_bf16(),
        device=_device(accelerator),
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.machine()}",
    )


def usable_processors() -> int:
    """Return how many processors this process may use: its affinity mask, and a container's quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, _quota() or allowed)


def library_versions() -> Mapping[str, str]:
    """Return library -> `major.minor` of those that change numbers; what is not installed is left out."""
    found: dict[str, str] = {}
    for library in LIBRARIES:
        try:
            found[library] = ".".join(version(library).split("+")[0].split(".")[:2])
        except PackageNotFoundError:
            continue
    return found


def machine_fingerprint(hardware: Hardware) -> str:
    """Return a hash that differs between two machines, and between two ways to use one; it names nobody."""
    try:
        identity = MACHINE_ID.read_text(encoding="ascii").strip()
    except OSError:
        identity = ""
    described = asdict(hardware) | {"machine": identity or platform.node()}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def _device(accelerator: Accelerator) -> Device:
    apple = platform.system() == "Darwin" and platform.machine() == "arm64"
    if accelerator in {"auto", "gpu"}:
        if apple:
            return "mps"
        if _has_nvidia_driver() and not _torch_has_no_cuda():
            return "cuda"
    if accelerator in {"auto", "cpu"}:
        return "cpu"
    if accelerator == "mps" and apple:
        return "mps"
    raise ConfigError(
        f"runtime.accelerator: '{accelerator}' cannot be used here ({_missing(accelerator)}); say auto"
    )


def _missing(accelerator: Accelerator) -> str:
    if accelerator == "mps":
        return "this is no Apple processor"
    return "the installed torch has no CUDA" if _has_nvidia_driver() else "no NVIDIA driver is loaded"


def _has_nvidia_driver() -> bool:
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in {"", "-1"}
    return NVIDIA_DRIVER.exists() and not hidden


def _torch_has_no_cuda() -> bool:
    try:
        return version("torch").endswith("+cpu")
    except PackageNotFoundError:
        return True


@lru_cache(maxsize=1)
def _processor_lines() -> Mapping[str, str]:
    """Return what Linux tells of the first processor: key -> value."""
    try:
        text = PROCESSORS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}


def _processor() -> str:
    return _processor_lines().get("model name") or platform.processor() or platform.machine()


def _has_bf16() -> bool:
    lines = _processor_lines()
    return not BF16_FLAGS.isdisjoint((lines.get("flags") or lines.get("Features") or "").split())


def _threads_of_environment() -> int | None:
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else None


def _quota() -> int | None:
    """Return the whole processors that a container's quota allows, at least one; None without a quota."""
    try:
        quota, period = CPU_QUOTA.read_text(encoding="ascii").split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):  # no quota is written as `max`
        return None
