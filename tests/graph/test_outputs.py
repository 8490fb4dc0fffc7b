"""What DVC would write outside the project is found before it does."""

from pathlib import Path

import pytest

from pipeline.actions.data import pull
from pipeline.errors import DataError
from pipeline.graph.outputs import outside

ROOT = Path(__file__).parents[2]


def test_this_projects_outputs_stay_inside() -> None:
    assert outside(ROOT) == []


@pytest.mark.parametrize("path", ["../elsewhere", "/etc/elsewhere", "link/file"])
def test_an_output_behind_dots_or_a_link_is_named(path: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "link").symlink_to(tmp_path)
    (project / "data.dvc").write_text(f"outs:\n- path: {path}\n- path: fine\n")
    assert outside(project) == [f"data.dvc: {path}"]
    with pytest.raises(DataError, match=f"outside the project: data.dvc: {path}"):
        pull([], root=project, mirror=None, progress=lambda *_: None)
    assert not (project / "data").exists()
    (project / "data.dvc").unlink()
    (project / "dvc.lock").write_text(f"stages:\n  one:\n    outs:\n    - path: {path}\n")
    assert outside(project) == [f"dvc.lock: {path}"]


def test_a_lock_file_that_a_merge_left_in_two_versions_is_named(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text("stages:\n<<<<<<< ours\n  one: {}\n=======\n  two: {}\n>>>>>>> theirs\n")
    with pytest.raises(DataError, match=r"dvc\.lock: is no YAML .* Resolve what a merge left in it"):
        outside(tmp_path)
