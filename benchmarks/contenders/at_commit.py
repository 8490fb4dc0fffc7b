"""A module as of a commit, with that commit's pipeline, configuration and list of data.

`python -m benchmarks.contenders.at_commit COMMIT MODULE WORD…`
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

from benchmarks.harness import ROOT


def main(commit: str, module: str, *words: str) -> None:
    tree = subprocess.check_output(["git", "-C", str(ROOT), "archive", commit])
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=BytesIO(tree)) as files:
        files.extractall(folder, filter="data")
        Path(folder, "data").symlink_to(ROOT / "data")
        command = [sys.executable, "-m", module, *words]
        subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": folder}, check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
