"""Tutorials, read and typed: each page's files are written and its commands run, one after the other."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.launch.nodes import nodes

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs/tutorials"
COMMANDS = ("pipeline", "python", "make", "source", "cd", "ray", "mkdir", "(umask", "export")
INSTALLED = {"make train": "pipeline train trainer.max_epochs=1", "source .venv/bin/activate": ":"}
SERVERS = ("pipeline ui", "pipeline app", "pipeline serve")  # run until they are interrupted
TRAINED = "until pipeline logs latest | grep --quiet 'epoch 1'; do sleep 1; done"


def steps(page: str) -> list[tuple[str, str]]:
    """The files of a page, as (path, text), and its commands, as ("", lines), in their order."""
    blocks = r"(?:Save this as `([^`]+)`:\n\n)?^```[^\n]*\n(.*?)^```$"
    found = re.findall(blocks, (PAGES / f"{page}.md").read_text(), re.MULTILINE | re.DOTALL)
    return [(path, text) for path, text in found if path or text.startswith(COMMANDS)]


def script(page: str, replaced: dict[str, str]) -> str:
    """A shell script of a page's files and commands; servers are interrupted after a while."""
    lines = ["set -eu"]
    for path, text in steps(page):
        if path:
            lines += [f"cat > {path} <<'END'", text + "END"]
            continue
        for line in text.splitlines():
            if line.startswith(SERVERS):
                browser = "" if line.startswith("pipeline serve") else " --no-browser"
                lines.append(f"timeout --signal=INT 60 {line}{browser} || test $? -eq 124")
            else:
                lines.append(next((new for old, new in replaced.items() if line.startswith(old)), line))
    return "\n".join(lines)


def type_commands(text: str, folder: Path, **environment: str) -> str:
    """Run a script where `pipeline` is this interpreter's; what it printed."""
    (folder / "bin").mkdir()
    command = folder / "bin/pipeline"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pipeline "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    paths = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    here = {**os.environ, "PATH": paths, "PYTHONPATH": str(ROOT), **environment}
    (folder / "work").mkdir(exist_ok=True)
    words = [shutil.which("zsh") or "bash", "-c", text]
    done = subprocess.run(words, cwd=folder / "work", env=here, capture_output=True, text=True, check=False)
    print(done.stdout, done.stderr)  # pytest shows it if the test fails
    assert done.returncode == 0
    return done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of the project in the folder `work`, with the data that is there."""
    work = tmp_path / "work"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(work)], check=True)
    if (ROOT / "data").is_dir():
        shutil.copytree(ROOT / "data", work / "data", copy_function=os.link, dirs_exist_ok=True)
    return tmp_path


def test_every_tutorial_has_commands_to_type() -> None:
    for page in PAGES.glob("*.md"):
        assert page.stem == "index" or [text for path, text in steps(page.stem) if not path], page.stem


@pytest.mark.slow
@pytest.mark.parametrize("page", ["first-run", "your-pictures", "your-texts", "reproduce-and-audit"])
def test_the_commands_of_a_tutorial_work(page: str, clone: Path) -> None:
    type_commands(script(page, INSTALLED), clone)


@pytest.mark.slow
def test_a_model_of_ones_own_is_written_trained_tested_and_exported_as_the_tutorial_does(tmp_path: Path) -> None:
    printed = type_commands(script("your-model", {}), tmp_path)
    assert "my_project.mixer.Mixer" in printed
    assert (tmp_path / "work/my_project/conf/experiment/mixer.yaml").is_file()
    assert len(re.findall(r"test accuracy +9\d\.", printed)) >= 3


@pytest.mark.slow
def test_a_job_is_submitted_stopped_and_resumed_as_the_tutorial_does(clone: Path) -> None:
    ports = {"dashboard_port": 8387, "dashboard_agent_listen_port": 8388}  # not Ray's own, which others may hold
    with nodes(2, include_dashboard=True, dashboard_host="127.0.0.1", **ports):
        started = dict.fromkeys(("mkdir", "(umask", "export", "ray "), ":")  # by this test
        text = script("on-a-cluster", {**started, "pipeline stop": f"{TRAINED}\npipeline stop latest"})
        text = text.replace("trainer.max_epochs=200", "trainer.max_epochs=20")
        printed = type_commands(text, clone, PIPELINE_CLUSTER="http://127.0.0.1:8387")
    assert "STOPPED" in printed
    assert re.search(r"test accuracy +9\d\.", printed)
