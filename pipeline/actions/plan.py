"""What each experiment's result depends on, a file an experiment: configuration, data and the code that makes it.

`dvc.yaml` has its training stages depend on these files: a stage runs again exactly if what it depends on has changed,
and nobody keeps lists of it.
"""

import ast
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline import checkpoint
from pipeline.config import SOURCE_KEYS, load_config, resolve
from pipeline.data import store
from pipeline.kinds import kind_of
from pipeline.source import file_of
from pipeline.targets import OURS

# What these bring is verified byte by byte: the digest of the data stands in the plan.
CARRIERS = ("pipeline.data.store", "pipeline.data.download", "pipeline.data.mirrors")


def write(root: Path, folder: Path) -> list[Path]:
    """Write the plan of every experiment in `conf/experiment/` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for file in sorted((root / "conf/experiment").glob("*.yaml")):
        written.append(folder / f"{file.stem}.json")
        content = plan(resolve(load_config(f"experiment={file.stem}", root=root)), root)
        written[-1].write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    return written


def plan(config: dict[str, Any], root: Path) -> dict[str, Any]:
    """What a resolved configuration comes to but for its seed, and SHA-256 digests of data, lock file and code."""
    kept = {key: config[key] for key in ("name", "data", "model", "trainer", "cluster", "requires")}
    kept["data"] = {key: value for key, value in config["data"].items() if key not in SOURCE_KEYS}
    lock, name = root / "requirements.lock", config["data"]["name"]
    return {
        "config": kept,
        "data": store.digest(name) if name in store.FILES else None,
        "lock": checkpoint.sha256(lock) if lock.is_file() else None,
        "code": code(config),
    }


def identity(config: dict[str, Any], root: Path) -> str:
    """SHA-256 of all that decides a run's result: of two runs of one identity, one can finish the other."""
    content = {**plan(config, root), "seed": config["seed"]}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def code(config: dict[str, Any]) -> dict[str, str]:
    """Every module that making a configured model imports, directly or not, with the digest of its file."""
    waiting = [
        kind_of(config).maker,
        *(f"pipeline.{own[1]}" for target in _targets(config) if (own := OURS.fullmatch(target))),
    ]
    found: dict[str, str] = {}
    while waiting:
        module = waiting.pop()
        file = file_of(module)
        if file and module not in found and module not in CARRIERS:
            found[module] = checkpoint.sha256(file)
            waiting += _imports(file)
    return found


def _targets(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield str(node["_target_"])
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _targets(item)


def _imports(file: Path) -> Iterator[str]:
    """What a file imports of the package, at its top or inside a function; of `from a import b`, both a and a.b."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{name}" for name in names)]
        yield from (name for name in names if name.startswith("pipeline."))
