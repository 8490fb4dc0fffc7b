"""The commit of a run: recorded, or a line that names the reason and the remedy."""

import subprocess
from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.runs import provenance

AUTHOR = ["-c", "user.name=a", "-c", "user.email=a@b.c"]


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *AUTHOR, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    for name in ("results/net.json", "code.py", "conf/config.yaml", "data.dvc"):  # the last two make it a project
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("1")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "a"]):
        git(folder, *words)
    return folder


def test_results_and_documents_do_not_make_the_code_of_the_next_run_dirty(repository: Path) -> None:
    (repository / "results/net.json").write_text("2")
    (repository / "README.md").write_text("2")
    assert provenance.provenance(repository)["dirty"] is False
    provenance.check_committed(repository)
    (repository / "code.py").write_text("2")
    assert provenance.provenance(repository)["dirty"] is True


@pytest.mark.parametrize(
    ("name", "dirty", "ignored"),
    [
        ("pipeline/models/own.py", True, True),
        ("conf/model/own.yaml", True, True),
        ("sitecustomize.py", True, False),
        ("runs/x/run.json", False, False),
        ("my_package/net.py", True, False),
        ("tests/test_net.py", False, False),
        ("notes.txt", False, False),
    ],
)
def test_code_that_git_does_not_track_counts_as_a_change_also_where_git_ignores_it(
    name: str, dirty: bool, ignored: bool, repository: Path
) -> None:
    (repository / name).parent.mkdir(parents=True, exist_ok=True)
    (repository / name).write_text("x")
    assert provenance.provenance(repository)["dirty"] is dirty
    (repository / ".git/info/exclude").write_text(f"/{name}\n")
    assert provenance.provenance(repository)["dirty"] is ignored


def test_a_result_of_uncommitted_code_is_not_recorded_and_the_files_are_named(repository: Path) -> None:
    for name in ("a", "b", "c", "d"):
        (repository / f"pipeline/{name}.py").parent.mkdir(exist_ok=True)
        (repository / f"pipeline/{name}.py").write_text("x")
    with pytest.raises(ConfigError, match=r"not as committed: pipeline/a.py, pipeline/b.py, pipeline/c.py and 1 more"):
        provenance.check_committed(repository)
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "b")
    provenance.check_committed(repository)


def test_a_commit_that_is_recorded_needs_no_line_also_in_a_shallow_clone(repository: Path, tmp_path: Path) -> None:
    git(repository, "commit", "-q", "--allow-empty", "-m", "b")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "shallow")
    commits = [str(provenance.provenance(folder)["commit"]) for folder in (repository, tmp_path / "shallow")]
    assert len(commits[0]) == 40
    assert commits == [commits[0]] * 2
    assert provenance.gaps(repository) == provenance.gaps(tmp_path / "shallow") == []


@pytest.mark.parametrize(
    ("case", "remedy"),
    [
        ("another owner", "git config --global --add safe.directory "),
        ("no git", "git is not installed. Install git."),
        ("no repository", "is not in a git repository. `git init`"),
        ("no commit", "has no commit yet. `git add .` and `git commit` there."),
    ],
)
def test_a_commit_that_is_not_recorded_is_announced_in_one_line_with_the_remedy(
    case: str, remedy: str, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = repository if case in ("another owner", "no git") else tmp_path / "new"
    (folder / "conf").mkdir(parents=True, exist_ok=True)
    for name in ("conf/config.yaml", "data.dvc"):
        (folder / name).touch()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    if case == "another owner":
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own switch for its tests
        monkeypatch.setenv("HOME", str(tmp_path))
    if case == "no git":
        monkeypatch.setenv("PATH", str(tmp_path))
    if case == "no commit":
        git(folder, "init", "-q")
    found = provenance.provenance(folder)
    assert (found["commit"], found["dirty"]) in ((None, None), (None, False))
    (line,) = provenance.gaps(folder)
    assert line.startswith("WARNING     commit and changes of the code are not recorded: ")
    assert remedy in line
    assert "\n" not in line
