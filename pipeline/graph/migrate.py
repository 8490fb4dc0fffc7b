"""Migrate recorded results to renamed or moved code, given a proof that it trains the same weights.

A renamed class or configuration key changes fingerprints and configuration digests though no weight changes. The
migration rewrites the entries `train@…` of dvc.lock and the `config_digest` of each committed result, and no model.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypedDict

import yaml

from pipeline.config import Config, digest, load_config, resolve, training
from pipeline.config.aliases import EXPERIMENTS
from pipeline.errors import DataError
from pipeline.files import atomic_write
from pipeline.graph.lockfile import LOADER, LockedFile, LockEntry
from pipeline.runs import fingerprint, results


class Dumper(yaml.SafeDumper):
    """Write an entry that occurs in several stages out in each: `lockfile.record` replaces one stage's lines."""

    def ignore_aliases(self, data: object) -> bool:
        return True


class TrainStage(TypedDict):
    """A stage as DVC resolves it, with the paths of its dependencies and of its model."""

    experiment: str
    cmd: str
    deps: list[str]
    out: str


def migrate(proofs: Sequence[Path], root: Path) -> tuple[list[str], list[str]]:
    """Rewrite dvc.lock and results/ for every experiment that a proof found identical; the others stay as they are.

    A proof is void for an experiment whose training fingerprint has changed since. A stage stays stale if it was stale
    at the proof's commit already: what it recorded is of other code or another configuration than what was compared.

    Returns: the stages that were migrated, and those that stay stale.
    Raises: DataError if a file is not a proof, or prepared/ lacks a file of data: `dvc repro prepare` first.
    """
    proven = {name: md5 for proof in proofs for name, md5 in _proven(proof, root).items()}
    lock = yaml.load((root / "dvc.lock").read_bytes(), LOADER)  # noqa: S506  the safe loader
    outputs, fingerprints = dict(_outputs(lock["stages"])), dict(_fingerprints(lock["stages"]))
    names, trained = _stages(root)
    stages = {name: entry for name, entry in lock["stages"].items() if name in names}
    today = {name: _fingerprint(name, root) for name in {stage["experiment"] for stage in trained.values()}}
    migrated, stale = list[str](), list[str]()
    for name, stage in trained.items():
        model, trained_by = outputs.get(stage["out"]), fingerprints.get(stage["out"])
        fingerprinted = today[stage["experiment"]]
        if model and trained_by and trained_by == proven.get(stage["experiment"]):
            found = {**outputs, fingerprinted["path"]: fingerprinted}
            deps = [found[path] if path in found else _entry(path, _content(root / path)) for path in stage["deps"]]
            stages[name] = {"cmd": stage["cmd"], "deps": deps, "outs": [model]}
            migrated.append(name)
        elif trained_by != fingerprinted["md5"]:
            stale.append(name)
    for entry in stages.values():  # others read the fingerprint of a proven experiment as well
        entry["deps"] = [_renewed(dep, proven, today) for dep in entry.get("deps", [])]
    write(stages, root)
    for experiment in sorted({stage.removeprefix("train@").rpartition("-")[0] for stage in migrated}):
        _update_digests(experiment, migrated, root)
    return migrated, stale


def write(stages: dict[str, LockEntry], root: Path) -> None:
    """Replace dvc.lock."""
    content = {"schema": "2.0", "stages": stages}
    atomic_write(root / "dvc.lock", yaml.dump(content, Dumper=Dumper, sort_keys=False, width=10**6))


def _outputs(stages: dict[str, LockEntry]) -> Iterator[tuple[str, LockedFile]]:
    """Yield every output of the former stages with its path, a renamed experiment's with today's path."""
    for stage in stages.values():
        for out in stage.get("outs", ()):
            path = _path_today(out["path"])
            yield path, {**out, "path": path}


def _fingerprints(stages: dict[str, LockEntry]) -> Iterator[tuple[str, str]]:
    """Yield the path of every former output, and the MD5 of the fingerprint with which it was made."""
    for stage in stages.values():
        for dep in stage.get("deps", ()):
            if dep["path"].startswith("prepared/fingerprint/"):
                yield from ((_path_today(out["path"]), dep["md5"]) for out in stage.get("outs", ()))


def _path_today(path: str) -> str:
    folder, slash, name = path.rpartition("/")
    experiment, dash, seed = name.rpartition("-")
    return f"{folder}{slash}{EXPERIMENTS.get(experiment, experiment)}{dash}{seed}"


def _proven(proof: Path, root: Path) -> dict[str, str]:
    """Return the experiments that a proof found identical and whose training fingerprint is still the proven one.

    With each, the MD5 of its fingerprint at the proof's commit.
    """
    try:
        content = json.loads(proof.read_text())
        identical = [name for name, verdict in content["experiments"].items() if verdict["verdict"] == "identical"]
        proven = {name: content["fingerprints"][name] for name in identical}
        before: dict[str, str] = content["commit_fingerprints"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{proof}: not a proof ({error!r}). `pipeline prove COMMIT` writes one.") from error
    if not before:
        raise DataError(
            f"{proof}: its commit is older than `pipeline fingerprint`, so what dvc.lock names can't be compared with "
            "it. Prove against a newer commit."
        )
    return {
        name: before[name] for name, identity in proven.items() if name in before and identity == _identity(name, root)
    }


def _configured(experiment: str, root: Path) -> Config:
    return resolve(load_config(f"experiment={experiment}", root=root))


def _identity(experiment: str, root: Path) -> str:
    return fingerprint.identity(training(_configured(experiment, root)), root)


def _fingerprint(experiment: str, root: Path) -> LockedFile:
    """The fingerprint that `pipeline fingerprint` writes today, as an entry of dvc.lock."""
    content = fingerprint.as_text(fingerprint.training(_configured(experiment, root), root))
    return _entry(f"prepared/fingerprint/{experiment}.json", content.encode())


def _renewed(dep: LockedFile, proven: dict[str, str], today: dict[str, LockedFile]) -> LockedFile:
    """A stage's dependency, or today's fingerprint if it is that of a proven experiment at the proof's commit."""
    name = Path(dep["path"]).stem
    same = name in today and dep["path"] == today[name]["path"] and dep.get("md5") == proven.get(name)
    return today[name] if same else dep


def _stages(root: Path) -> tuple[set[str], dict[str, TrainStage]]:
    """The names of all stages, and those that train: experiment, command, dependencies, model, as DVC resolves them."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        names = {stage.addressing for stage in repo.index.stages}
        stages = [stage for stage in repo.index.stages if stage.addressing.startswith("train@")]
        return names, {
            stage.addressing: {
                "experiment": stage.addressing.removeprefix("train@").rpartition("-")[0],
                "cmd": stage.cmd,
                "deps": [str(dep.def_path) for dep in stage.deps],
                "out": str(stage.outs[0].def_path),
            }
            for stage in stages
        }


def _content(file: Path) -> bytes:
    if not file.is_file():
        raise DataError(f"{file}: no such file. Run `dvc repro prepare` first.")
    return file.read_bytes()


def _entry(path: str, content: bytes) -> LockedFile:
    """A file as an entry of dvc.lock."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return {"path": path, "hash": "md5", "md5": md5, "size": len(content)}


def _update_digests(experiment: str, migrated: Sequence[str], root: Path) -> None:
    """Write the digest of today's configuration into each committed result whose stage was migrated."""
    path = results.path_of(experiment, root)
    content = results.read(path)
    for run in content["runs"]:
        if f"train@{experiment}-{run['seed']}" in migrated:
            configured = load_config(f"experiment={experiment}", f"seed={run['seed']}", root=root)
            run["config_digest"] = digest(resolve(configured))
    atomic_write(path, results.as_text(content))
