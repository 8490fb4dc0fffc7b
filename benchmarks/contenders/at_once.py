"""A contender several times at once, each for itself, and the mean of what they tell: cores in each other's company.

`python -m benchmarks.contenders.at_once COPIES CONTENDER WORD…`
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.contenders.common import tell
from benchmarks.harness import project


def main(copies: int, contender: str, *words: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch, str(copy)) for copy in range(copies)]
        for folder in folders:
            folder.mkdir()
            project(folder)
        command = (sys.executable, "-m", f"benchmarks.contenders.{contender}", *words)
        children = [subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) for folder in folders]
        said = [json.loads(child.communicate()[0]) for child in children]
    tell(**{name: sum(one[name] for one in said) / copies for name in said[0]})


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
