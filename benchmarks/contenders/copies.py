"""Independent copies of a contender in parallel, and the mean of their figures.

`python -m benchmarks.contenders.copies COUNT CONTENDER WORD…`
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.contenders.common import report
from benchmarks.harness import project


def main(copies: int, contender: str, *words: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch, str(copy)) for copy in range(copies)]
        for folder in folders:
            folder.mkdir()
            project(folder)
        command = (sys.executable, "-m", f"benchmarks.contenders.{contender}", *words)
        children = [subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) for folder in folders]
        figures = [json.loads(child.communicate()[0]) for child in children]
    report(**{name: sum(copy[name] for copy in figures) / copies for name in figures[0]})


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
