"""The instructions that torch computes with, the memory it keeps, and the processor's name."""

import ctypes
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.training import cpu

FIRST = "processor\t: 0\nmodel name\t: EPYC\ncpu family\t: 25\nmodel\t\t: 17\nflags\t\t: fpu avx avx2 avx512f\n"
NEW = f"{FIRST}\nprocessor\t: 1\n"


@pytest.fixture
def cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cpu, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(cpu, "facts", cpu.facts.__wrapped__)
    for name in cpu.AVX2:
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cpuinfo"


def test_a_processor_with_wider_vectors_is_told_to_use_avx2(cpuinfo: Path) -> None:
    cpuinfo.write_text(NEW)
    assert cpu.fix_instructions() == cpu.AVX2
    assert {name: os.environ[name] for name in cpu.AVX2} == cpu.AVX2


def test_a_processor_without_avx2_is_told_nothing(cpuinfo: Path) -> None:
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu avx\n")
    assert cpu.fix_instructions() == {}
    assert "ATEN_CPU_CAPABILITY" not in os.environ


def test_what_the_user_has_set_stays(cpuinfo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cpuinfo.write_text(NEW)
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx512")
    assert cpu.fix_instructions()["ATEN_CPU_CAPABILITY"] == "avx512"


def test_two_generations_of_one_name_are_told_apart(cpuinfo: Path) -> None:
    cpuinfo.write_text(NEW)
    before = cpu.describe()
    cpuinfo.write_text(NEW.replace("model\t\t: 17", "model\t\t: 1"))
    assert before.startswith("EPYC (family 25, model 17)")
    assert cpu.describe() != before


def test_a_machine_that_tells_nothing_still_has_a_name(cpuinfo: Path) -> None:
    assert f"{os.cpu_count()} cores" in cpu.describe()


@pytest.mark.skipif(not cpu.fix_instructions(), reason="this processor has no AVX2")
def test_torch_computes_with_what_it_is_told() -> None:
    told = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    environment = {**os.environ, **cpu.AVX2}
    said = subprocess.run([sys.executable, "-c", told], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "AVX2"


@pytest.mark.skipif(not cpu.fix_instructions(), reason="this processor has no AVX2")
def test_numpy_and_scipy_multiply_with_the_kernels_of_a_processor_with_avx2() -> None:
    code = (
        "from pipeline.training import cpu; cpu.fix_instructions()\n"
        "import numpy, scipy.linalg, threadpoolctl\n"
        "print({found['architecture'] for found in threadpoolctl.threadpool_info() if 'openblas' in found['filepath']})"
    )
    unset = {name: value for name, value in os.environ.items() if name not in cpu.AVX2}
    printed = subprocess.run([sys.executable, "-c", code], env=unset, capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "{'Haswell'}"


@pytest.mark.skipif(not cpu.fix_instructions(), reason="this processor has no AVX2")
def test_numpy_computes_logarithms_with_what_a_processor_with_avx2_has() -> None:
    code = (
        "from pipeline.training import cpu; cpu.fix_instructions()\n"
        "from numpy.lib.introspect import opt_func_info\n"
        "print(*{kind['current'] for kind in opt_func_info('^log$')['log'].values()}, sep='|')"
    )
    unset = {name: value for name, value in os.environ.items() if name not in cpu.AVX2}
    command = [sys.executable, "-W", "error", "-c", code]
    printed = subprocess.run(command, env=unset, capture_output=True, text=True, check=True)
    assert {*printed.stdout.strip().split("|")} <= {"X86_V3", "baseline(X86_V2)"}


STEPS = """
import resource, threading
from pipeline.training import cpu as processor
{}
import torch

def missing_pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.ones(1 << 18) for _ in range(40)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def train():
    print([missing_pages() for _ in range(10)][-1])

threading.Thread(target=train).start()  # as in a worker of Ray Train
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="needs glibc, which is told to keep memory")
def test_a_step_takes_the_memory_that_the_step_before_gave_back_and_none_of_the_kernel() -> None:
    def missing_pages(call: str) -> int:
        return int(subprocess.check_output([sys.executable, "-c", STEPS.format(call)], text=True))

    assert missing_pages("") > 1000  # 40 MiB are 10,240 pages
    assert missing_pages("processor.keep_memory()") < 100


def test_the_environment_names_processor_instructions_and_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    found = cpu.environment()
    assert found["processor"] == cpu.describe()
    assert (found["MKL_CBWR"], found["ONEDNN_MAX_CPU_ISA"]) == ("COMPATIBLE", None)
    assert (found["numpy"], found["python"]) == (np.__version__, platform.python_version())
