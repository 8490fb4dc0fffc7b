"""Runs the checkers of infra/ and .github/, which infra/requirements.lock installs beside the interpreter."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def program(name: str) -> str:
    """The path of a checker; the test is skipped where it is not installed."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    if not found:
        pytest.skip(f"{name} is not installed: pip install --constraint infra/requirements.lock -e '.[infra]'")
    return found


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [program(str(words[0])), *map(str, words[1:])]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
