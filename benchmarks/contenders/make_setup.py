"""`make setup` in a fresh checkout of a commit: its seconds and the size of `.venv`. `… make_setup COMMIT`."""

import os
import subprocess
import sys
import tarfile
import tempfile
import time
from io import BytesIO
from pathlib import Path

from benchmarks.contenders.common import report
from benchmarks.harness import ROOT


def disk_mb(folder: Path) -> float:
    """Megabytes that the files below a folder take on the disk."""
    files = (file.lstat() for file in folder.rglob("*"))
    return sum(512 * found.st_blocks for found in files) / 1e6


def main(commit: str) -> None:
    tree = subprocess.check_output(["git", "-C", str(ROOT), "archive", commit])
    outside = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    python = f"PYTHON={sys.base_exec_prefix}/bin/python3"
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=BytesIO(tree)) as files:
        files.extractall(folder, filter="data")
        began = time.perf_counter()
        subprocess.run(["make", "setup", python], cwd=folder, env=outside, check=True)
        setup_s = time.perf_counter() - began
        report(setup_s=setup_s, disk_mb=disk_mb(Path(folder) / ".venv"))


if __name__ == "__main__":
    main(*sys.argv[1:])
