"""Seconds of `dvc repro` and `pipeline repro`: of twelve one-core stages, and of this project's graph, up to date.

The second graph is that of dvc.yaml with each command replaced by one that writes the same outputs at once.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

from benchmarks.harness import DATA, ROOT

TOOLS = {"dvc": ["dvc", "repro"], "pipeline": ["pipeline", "repro", "--jobs", "2"]}
WORK = {"twelve": "python -S -c 'for _ in range(150_000_000): pass'", "waiting": "sleep 4"}
COPIED = ("conf", "pipeline", "results", "params.yaml", "runs.yaml", "requirements.lock")


def main(what: str, tool: str) -> None:
    """Print the seconds of one call."""
    folder = twelve(Path.cwd() / f"{what}-{time.time_ns()}", WORK[what]) if what in WORK else whole(DATA / "graph")
    started = time.perf_counter()
    done = run(*TOOLS[tool], cwd=folder)
    seconds = time.perf_counter() - started
    if what == "whole" and not re.search(r"\A\d+ unchanged\s*\Z|up to date", done):
        raise SystemExit(f"something ran:\n{done}")
    print(json.dumps({"repro_s": seconds}))


def run(*words: str, cwd: Path) -> str:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", *words], cwd=cwd, env=env, stdout=-1, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise SystemExit(done.stdout)
    return done.stdout


def create(folder: Path, graph: dict[str, Any]) -> Path:
    (folder / "dvc.yaml").write_text(yaml.safe_dump(graph, sort_keys=False, width=10**6))
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    run("dvc", "init", "-q", cwd=folder)
    return folder


def twelve(folder: Path, work: str) -> Path:
    """Create a project of twelve independent stages that do the same work."""
    folder.mkdir()
    (folder / "params").write_text("1\n")
    stages = {
        name: {"cmd": f"{work}; echo {name} > {name}.txt", "deps": ["params"], "outs": [f"{name}.txt"]}
        for name in (f"stage-{number}" for number in range(12))
    }
    return create(folder, {"stages": stages})


def whole(folder: Path) -> Path:
    """Create this project's graph once, with all its outputs."""
    if (folder / "complete").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in COPIED:
        with contextlib.suppress(NotADirectoryError):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            continue
        shutil.copy(ROOT / name, folder)
    graph = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    del graph["plots"]
    for name, stage in graph["stages"].items():
        stage.get("do", stage)["cmd"] = "; ".join(map(write, outputs(stage.get("do", stage)))) + extra(name)
    create(folder, graph)
    shutil.copy(ROOT / ".dvcignore", folder)
    run(*TOOLS["pipeline"], cwd=folder)
    (folder / "complete").touch()
    return folder


def outputs(stage: dict[str, Any]) -> list[str]:
    found = [*stage.get("outs", []), *stage.get("metrics", [])]
    return [out if isinstance(out, str) else next(iter(out)) for out in found]


def write(path: str) -> str:
    """Return a command that writes a file, or a folder with one."""
    file = path if path.endswith((".json", ".html", ".md", ".svg")) else f"{path}/file"
    return f"mkdir -p $(dirname {file}); echo {path} >> {file}"


def extra(stage: str) -> str:
    """Return what the fingerprints' stage writes beside: the files that others depend on."""
    if stage != "fingerprint":
        return ""
    folder = "prepared/fingerprint"
    copies = f"cp conf/experiment/$e.yaml {folder}/$e.json; cp conf/experiment/$e.yaml {folder}/evaluation/$e.json"
    return f"; mkdir -p {folder}/evaluation; for e in $(basename -s .yaml conf/experiment/*.yaml); do {copies}; done"


if __name__ == "__main__":
    main(*sys.argv[1:])
