"""`cluster.bits=portable` is in effect where a run computes, part of its digests, and recorded with its result."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.config import digest, load_config, resolve
from pipeline.runs import fingerprint
from pipeline.training import cpu

ROOT = Path(__file__).parents[2]
PRODUCT = """
import hashlib
from pipeline.training import cpu
cpu.fix_instructions()  # as the command does at its start
import torch
from pipeline.launch import bits
bits.choose({!r})
matrix = torch.rand(300, 300, generator=torch.Generator().manual_seed(0))
print(hashlib.sha256((matrix @ matrix).numpy().tobytes()).hexdigest())
"""


def product(cluster: dict[str, str], **variables: str) -> str:
    """The digest of a matrix product in a process of its own."""
    unset = {name: value for name, value in os.environ.items() if name not in cpu.AVX2}
    command, env = [sys.executable, "-c", PRODUCT.format(cluster)], {**unset, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
@pytest.mark.skipif(not cpu.fix_instructions(), reason="this processor has no AVX2")
def test_portable_bits_are_those_of_mkls_compatible_mode_and_the_default_is_not() -> None:
    portable = product({"bits": "portable"})
    assert portable == product({}, MKL_CBWR="COMPATIBLE")
    assert portable != product({"bits": "native"})


def test_portable_bits_decide_weights_and_the_default_leaves_digests_as_they_were() -> None:
    native, portable = (
        resolve(load_config("experiment=mlp_xor", f"cluster.bits={bits}")) for bits in ("native", "portable")
    )
    older = {**native, "cluster": {key: value for key, value in native["cluster"].items() if key != "bits"}}
    assert digest(native) == digest(older) != digest(portable)
    identities = [fingerprint.identity(config, ROOT) for config in (native, older, portable)]
    assert identities[0] == identities[1] != identities[2]


@pytest.mark.slow
def test_a_run_with_portable_bits_records_them(project: Path) -> None:
    words = ["train", "experiment=mlp_xor", "trainer.max_epochs=2", "cluster.bits=portable"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-m", "pipeline", *words], env=env, capture_output=True, check=True)
    (record,) = (project / "runs").glob("*/run.json")
    assert json.loads(record.read_text())["environment"]["MKL_CBWR"] == "COMPATIBLE"
