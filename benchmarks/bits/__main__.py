"""Record this processor's digests of the operations, and print which operations agree on all recorded processors."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

import torch

from pipeline.training import cpu

RESULTS = Path(__file__).parent / "results"
PROJECT = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2"}
SETTINGS: Mapping[str, dict[str, str]] = {
    "as the project sets it": PROJECT,
    "MKL compatible": {**PROJECT, "MKL_CBWR": "COMPATIBLE"},
    "no oneDNN": {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AVX2", "NO_ONEDNN": "1"},
    "no oneDNN, MKL compatible": {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "COMPATIBLE", "NO_ONEDNN": "1"},
    "no oneDNN, MKL AVX2 strict": {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AVX2,STRICT", "NO_ONEDNN": "1"},
    "oneDNN SSE41, MKL compatible": {**PROJECT, "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"},
}


class Operation(TypedDict):
    """The digest of an operation's result and gradients, and the least milliseconds of seven calls."""

    sha256: str
    ms: float


Digests = dict[str, Operation]  # by operation


class Record(TypedDict):
    """What one processor computed: the digests of each setting."""

    processor: dict[str, str | bool | None]
    torch: str
    settings: dict[str, Digests]


def digests(setting: str) -> Digests:
    """The digests of all operations under a setting, computed in a new process."""
    # Without OPENBLAS_CORETYPE: numpy and scipy choose by themselves in the records.
    names = {*cpu.AVX2, *(name for variables in SETTINGS.values() for name in variables)}
    clean = {name: value for name, value in os.environ.items() if name not in names}
    command = [sys.executable, "-m", "benchmarks.bits.operations"]
    environment = {**clean, **SETTINGS[setting]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found: Digests = json.loads(done.stdout.splitlines()[-1])
    return found


def recorded() -> dict[str, Record]:
    """The records of all processors, by name."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(RESULTS.glob("*.json"))}


def disagreeing(setting: str, records: Mapping[str, Record]) -> list[str]:
    """The operations that do not have the same bits on all processors."""
    tables = [record["settings"][setting] for record in records.values()]
    return [name for name in tables[0] if len({table[name]["sha256"] for table in tables}) > 1]


def record() -> Path:
    """Write what this processor computes."""
    facts = cpu.facts()
    known: dict[str, str | bool | None] = {key: facts.get(key) for key in ("model name", "cpu family", "model")}
    known["avx512"] = "avx512f" in facts.get("flags", "")
    made: Record = {
        "processor": known,
        "torch": torch.__version__,
        "settings": {setting: digests(setting) for setting in SETTINGS},
    }
    words = re.split(r"\W+", f"{known['model name']} family {known['cpu family']} model {known['model']}".lower())
    file = RESULTS / f"{'-'.join(word for word in words if word not in ('', 'r', 'tm', 'processor'))}.json"
    file.write_text(json.dumps(made, indent=1) + "\n")
    return file


if __name__ == "__main__":
    print(f"recorded in {record()}")
    for name in SETTINGS:
        differ = disagreeing(name, recorded())
        print(f"{name}: {', '.join(differ) or 'no operation'} differs")
