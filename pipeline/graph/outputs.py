"""Find outputs that DVC would write outside the project: `dvc pull` follows links and `..` (DVC's issue 11101)."""

from pathlib import Path

import yaml

from pipeline.errors import DataError
from pipeline.graph.lockfile import LOADER


def outside(root: Path) -> list[str]:
    """Return the outputs of `*.dvc` files and `dvc.lock` that lie outside the project, as FILE: PATH.

    Raises: DataError for a file that is no YAML.
    """
    project, escaped = root.resolve(), []
    for file in [*sorted(root.glob("*.dvc")), *sorted(root.glob("*/*.dvc")), root / "dvc.lock"]:
        if not file.is_file():
            continue
        try:
            content = yaml.load(file.read_bytes(), LOADER) or {}  # noqa: S506
        except yaml.YAMLError as error:
            why = " ".join(str(error).split())
            raise DataError(f"{file}: is no YAML ({why}). Resolve what a merge left in it.") from error
        holders = [content, *(content.get("stages") or {}).values()]
        for holder in holders:
            for out in holder.get("outs") or []:
                target = file.parent / holder.get("wdir", ".") / out["path"]
                if not target.resolve().is_relative_to(project):
                    escaped.append(f"{file.name}: {out['path']}")
    return escaped
