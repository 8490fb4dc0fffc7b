"""A module's file is found only if it is ours or of a package that the project names."""

from importlib import import_module
from pathlib import Path

import pytest

from pipeline.config.source import (
    PACKAGE,
    Project,
    current,
    file_of,
    find_root,
    make_importable,
    project_of,
    use_project,
)
from pipeline.errors import ConfigError


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("pipeline.data.texts.text_data", "data/texts/text_data.py"),
        ("pipeline.report", "report/__init__.py"),
        ("pipeline.errors.ConfigError", None),
        ("torch.nn", None),  # beside an installed package stand all others
    ],
)
def test_a_modules_file_is_found_only_if_it_is_ours(module: str, file: str | None) -> None:
    assert file_of(module) == (PACKAGE / file if file else None)


@pytest.mark.parametrize("module", ["own", "own.nets"])
def test_a_file_of_a_package_that_the_project_names_is_found(module: str, own: Path) -> None:
    file = "own/nets.py" if module == "own.nets" else "own/__init__.py"
    assert file_of(module) == own / file
    assert file_of("tests.test_own") is None


def write(folder: Path, table: str) -> Path:
    (folder / "pyproject.toml").write_text(table)
    return folder


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[tool.lecture-pipeline\n", r"pyproject.toml: not TOML \("),
        ("[tool]\nlecture-pipeline = 1 # tool.lecture-pipeline", "has one key, `modules`, got 1"),
        ("[tool.lecture-pipeline]\npackages = []", "has one key, `modules`"),
        ("[tool.lecture-pipeline]\nmodules = 'a'", r"expected a list such as \[\"my_package\"\], got 'a'"),
        ("[tool.lecture-pipeline]\nmodules = [1]", "expected a list"),
        ("[tool.lecture-pipeline]\nmodules = ['a.b']", "the name of a package of your own, got 'a.b'"),
        ("[tool.lecture-pipeline]\nmodules = ['pipeline']", "a package of your own, got 'pipeline'"),
        ("[tool.lecture-pipeline]\nmodules = ['os']", "neither os.py nor os/__init__.py"),
    ],
)
def test_a_table_that_can_not_be_read_is_an_error_with_its_file(table: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        project_of(write(tmp_path, table))


def test_a_folder_is_a_project_by_its_table_alone(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert project_of(write(tmp_path / "other", "[tool.poetry]\nname = '[broken")) is None
    (tmp_path / "mine.py").touch()
    assert project_of(write(tmp_path, "[tool.lecture-pipeline]\nmodules = ['mine']")) == Project(tmp_path, ("mine",))
    assert find_root(tmp_path / "other") == tmp_path


def test_the_projects_package_is_imported_from_its_folder_before_an_installed_one_of_the_name(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "installed/own").mkdir(parents=True)
    (tmp_path / "installed/own/__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path / "installed")
    make_importable()
    assert import_module("own").__file__ == str(own / "own/__init__.py")
    with pytest.raises(ModuleNotFoundError):  # the folder itself is not on the path
        import_module("test_own")


def test_a_project_that_was_sent_with_the_package_is_that_of_the_process(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = tmp_path / "sent"
    (sent / "theirs").mkdir(parents=True)
    (sent / "theirs/__init__.py").touch()
    write(sent, "[tool.lecture-pipeline]\nmodules = ['theirs']")
    monkeypatch.setattr("pipeline.config.source.PACKAGE", sent / "pipeline")
    assert current() == Project(sent, ("theirs",))


def test_another_folder_ends_the_use_of_a_project(own: Path, tmp_path: Path) -> None:
    assert current() == Project(own, ("own",))
    use_project(tmp_path)
    assert current() is None
