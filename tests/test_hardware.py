"""What the machine is said to be, on machines that this one is not."""

import os
import platform
import re
import subprocess
import sys

import pytest

from distill import hardware
from distill.errors import ConfigError

INTEL = "processor\t: 0\nmodel name\t: Intel(R) Xeon(R) Platinum 8481C\nflags\t\t: fpu avx512_bf16\n\nprocessor\t: 1\n"
OLD = "processor\t: 0\nmodel name\t: Intel(R) Core(TM) i5-6200U\nflags\t\t: fpu avx2\n"
ARM = "processor\t: 0\nBogoMIPS\t: 2100.00\nFeatures\t: fp asimd bf16 i8mm\n"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Pretends: a plain Linux machine, until a test says otherwise."""
    hardware._processor_lines.cache_clear()
    files = {"PROCESSORS": INTEL, "CPU_QUOTA": "max 100000\n", "MACHINE_ID": "0123456789abcdef\n"}

    class Machine:
        def write(self, name, text):
            (tmp_path / name).write_text(text)
            hardware._processor_lines.cache_clear()

        def system(self, name, processor):
            monkeypatch.setattr(platform, "system", lambda: name)
            monkeypatch.setattr(platform, "machine", lambda: processor)

        def torch(self, version):
            monkeypatch.setattr(hardware, "version", lambda library: version)

    made = Machine()
    for name in (*files, "NVIDIA_DRIVER"):
        monkeypatch.setattr(hardware, name, tmp_path / name)
    for name, text in files.items():
        made.write(name, text)
    made.system("Linux", "x86_64")
    made.torch("2.13.0")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    yield made
    hardware._processor_lines.cache_clear()


def test_the_processor_is_named(machine):
    found = hardware.detect()
    assert (found.processor, found.system) == ("Intel(R) Xeon(R) Platinum 8481C", "Linux x86_64")
    assert found.logical_cores == os.cpu_count()
    assert found.memory_bytes > 2**28


@pytest.mark.parametrize(("processor", "has"), [(INTEL, True), (OLD, False), (ARM, True), ("", False)])
def test_bf16_is_read_from_the_processors_flags(machine, processor, has):
    machine.write("PROCESSORS", processor)
    assert hardware.detect().has_bf16 is has


@pytest.mark.parametrize(
    ("wanted", "environment", "quota", "threads"),
    [
        (None, "", "max 100000\n", 6),
        (None, "", "250000 100000\n", 2),
        (None, "", "50000 100000\n", 1),
        (None, "", "900000 100000\n", 6),
        (None, "3", "max 100000\n", 3),
        (None, "4,2", "max 100000\n", 4),
        (None, "many", "max 100000\n", 6),
        (None, "0", "max 100000\n", 6),
        (1, "3", "max 100000\n", 1),
        (8, "", "max 100000\n", 8),
    ],
)
def test_threads(machine, monkeypatch, wanted, environment, quota, threads):
    machine.write("CPU_QUOTA", quota)
    monkeypatch.setenv("OMP_NUM_THREADS", environment)
    assert hardware.detect("auto", wanted).threads == threads


@pytest.mark.parametrize(
    ("accelerator", "system", "driver", "torch", "visible", "device"),
    [
        ("auto", ("Linux", "x86_64"), False, "2.13.0", None, "cpu"),
        ("auto", ("Linux", "x86_64"), True, "2.13.0", None, "cuda"),
        ("auto", ("Linux", "x86_64"), True, "2.13.0+cu130", "0", "cuda"),
        ("auto", ("Linux", "x86_64"), True, "2.13.0+cpu", None, "cpu"),
        ("auto", ("Linux", "x86_64"), True, "2.13.0", "", "cpu"),
        ("auto", ("Linux", "x86_64"), True, "2.13.0", "-1", "cpu"),
        ("auto", ("Darwin", "arm64"), False, "2.13.0", None, "mps"),
        ("auto", ("Darwin", "x86_64"), False, "2.13.0", None, "cpu"),
        ("cpu", ("Darwin", "arm64"), False, "2.13.0", None, "cpu"),
        ("cpu", ("Linux", "x86_64"), True, "2.13.0", None, "cpu"),
        ("gpu", ("Linux", "x86_64"), True, "2.13.0", None, "cuda"),
        ("gpu", ("Darwin", "arm64"), False, "2.13.0", None, "mps"),
        ("mps", ("Darwin", "arm64"), False, "2.13.0", None, "mps"),
    ],
)
def test_device(machine, monkeypatch, accelerator, system, driver, torch, visible, device):
    machine.system(*system)
    machine.torch(torch)
    if driver:
        machine.write("NVIDIA_DRIVER", "NVRM version: 570")
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found = hardware.detect(accelerator)
    assert found.device == device
    assert found.lightning_accelerator == {"cpu": "cpu", "cuda": "gpu", "mps": "mps"}[device]


@pytest.mark.parametrize(
    ("accelerator", "driver", "torch", "why"),
    [
        ("gpu", False, "2.13.0", "no NVIDIA driver is loaded"),
        ("gpu", True, "2.13.0+cpu", "the installed torch has no CUDA"),
        ("mps", True, "2.13.0", "this is no Apple processor"),
    ],
)
def test_an_accelerator_that_is_not_there(machine, accelerator, driver, torch, why):
    machine.torch(torch)
    if driver:
        machine.write("NVIDIA_DRIVER", "NVRM version: 570")
    with pytest.raises(ConfigError) as error:
        hardware.detect(accelerator)
    assert str(error.value) == f"runtime.accelerator: '{accelerator}' cannot be used here ({why}); say auto"


def test_the_same_machine_has_the_same_fingerprint(machine, monkeypatch):
    first = hardware.machine_fingerprint(hardware.detect())
    assert hardware.machine_fingerprint(hardware.detect()) == first
    assert re.fullmatch("[0-9a-f]{64}", first)
    machine.write("MACHINE_ID", "another")
    others = {hardware.machine_fingerprint(hardware.detect())}
    machine.write("MACHINE_ID", "")
    monkeypatch.setattr(platform, "node", lambda: "laptop")
    others.add(hardware.machine_fingerprint(hardware.detect()))
    others.add(hardware.machine_fingerprint(hardware.detect(threads=1)))
    machine.write("PROCESSORS", OLD)
    others.add(hardware.machine_fingerprint(hardware.detect()))
    assert len(others | {first}) == 5


def test_library_versions_are_those_of_the_libraries():
    import numpy as np
    import torch

    versions = hardware.library_versions()
    assert versions["torch"] == ".".join(torch.__version__.split("+")[0].split(".")[:2])
    assert versions["numpy"] == ".".join(np.__version__.split(".")[:2])
    assert set(versions) == set(hardware.LIBRARIES)


def test_a_library_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr(hardware, "LIBRARIES", ("numpy", "no-such-library"))
    assert list(hardware.library_versions()) == ["numpy"]


def test_nothing_heavy_is_imported():
    code = """
import sys
import distill.hardware, distill.store, distill.tracking
distill.hardware.detect()
print([name for name in ("torch", "numpy", "wandb", "pandas", "transformers") if name in sys.modules])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
