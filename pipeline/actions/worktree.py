"""The project at another commit, checked out in a temporary folder."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import LaunchError

SHARED = ("data", "models", "runs", ".cache")  # of today: required models are neither trained again nor predict again


def has(commit: str, root: Path) -> bool:
    """Whether the project has a commit."""
    return not _git(root, "cat-file", "-e", f"{commit}^{{commit}}").returncode


@contextmanager
def worktree(commit: str | None, root: Path) -> Iterator[Path]:
    """Check out the project at a commit in a temporary folder, with links to today's data, models and runs.

    Raises: LaunchError if the project has no such commit.
    """
    with tempfile.TemporaryDirectory(prefix="reproduce-") as parent:
        tree = Path(parent) / "project"
        if not commit or _git(root, "worktree", "add", "--detach", str(tree), commit).returncode:
            raise LaunchError(f"{root}: has no commit {commit}. Fetch the branch of the run: `git fetch`.")
        try:
            for name in SHARED:
                if (root / name).is_dir():
                    (tree / name).symlink_to(root / name)
            yield tree
        finally:
            _git(root, "worktree", "remove", "--force", str(tree))


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
