"""The processor: its name, the instructions that are used, and the memory that the process keeps."""

import ctypes
import os
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# Torch, oneDNN, MKL, OpenBLAS and numpy take the widest vectors that they find, and sums of another width are other
# sums: with these a result does not depend on whether a processor has AVX-512.
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_CBWR": "AVX2",
    "OPENBLAS_CORETYPE": "HASWELL",  # numpy's and scipy's; read when they are imported
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # numpy's log and exp; read when it is imported
}

LIBRARIES = ("torch", "lightning", "numpy", "scipy", "scikit-learn", "safetensors")  # that compute and store weights

# Of mallopt(3): M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX. Every block comes from the heap, even the
# 40 MB of an LSTM's states over a batch; the heap grows by the third, and gives nothing back below the second.
KEPT = {-3: 32 << 20, -1: (1 << 31) - 1, -2: 64 << 20, -4: 0}


def fix_instructions() -> dict[str, str]:
    """Let torch compute with AVX2 where the processor has it; before torch computes anything. What is set stays.

    Returns: the variables as they are now, for processes that do not inherit them; {} on other processors.
    """
    if "avx2" not in facts().get("flags", "").split():
        return {}
    return {name: os.environ.setdefault(name, value) for name, value in AVX2.items()}


def keep_memory() -> None:
    """Let glibc keep what a step of training gives back, for the next step takes it anew.

    Else each step of a small convolutional net finds 1,000 of its pages missing, a worker's of a group 5,000, an LSTM's
    12,000: each is a trap into the kernel, which clears it, and two workers wait for each other there. Batches of
    different lengths leave gaps in the heap: an LSTM keeps up to twice the memory. Does nothing where there is another
    C library.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        for parameter, value in KEPT.items():
            mallopt(parameter, value)


def describe() -> str:
    """The processor's name, generation and number of cores, and the instructions that torch was told to use."""
    found = facts()
    name = found.get("model name") or platform.processor() or platform.machine()
    generation = f" (family {found['cpu family']}, model {found['model']})" if "cpu family" in found else ""
    told = os.environ.get("ATEN_CPU_CAPABILITY")
    return f"{name}{generation}, {os.cpu_count()} cores{f', {told.upper()}' if told else ''}"


def environment() -> dict[str, str | None]:
    """Processor, instruction sets, versions: what a result depends on beside code, configuration and data."""
    return {"processor": describe(), **{name: os.environ.get(name) for name in AVX2}, **versions()}


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that compute and store weights."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


@cache
def facts() -> dict[str, str]:
    """Linux's facts about the first core; {} elsewhere."""
    if not CPUINFO.is_file():
        return {}
    first = CPUINFO.read_text().partition("\n\n")[0]
    lines = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}
