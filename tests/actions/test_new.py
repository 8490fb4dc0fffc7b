"""A new project: whole, without a copy of the package, and refused where a name or a folder can't be used."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pipeline.actions.new import SUFFIX, TEMPLATE, create
from pipeline.cli.command import _run
from pipeline.config import load_config, resolve
from pipeline.errors import ConfigError


def test_a_new_project_has_every_file_of_the_template_under_its_own_name(project: Path) -> None:
    folder = create(project / "cat-finder")
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and ".git/" not in str(path)}
    assert len(files) == len([*TEMPLATE.rglob(f"*{SUFFIX}")])
    assert {"cat_finder/nets.py", "tests/test_cat_finder.py", ".gitignore", ".dvc/config", "dvc.yaml"} <= files
    assert not [name for name in files if "my_project" in (folder / name).read_text()]
    table = tomllib.loads((folder / "pyproject.toml").read_text())["tool"]["lecture-pipeline"]
    assert table == {"modules": ["cat_finder"]}
    assert (folder / ".git").is_dir()


def test_a_project_in_a_repository_gets_none_of_its_own(project: Path) -> None:
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    assert not (create(project / "inner") / ".git").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("there", "there: exists already"),
        ("Upper", "expected a name of small letters"),
        ("2nd", "expected a name of small letters"),
        ("naïve", "expected a name of small letters"),
        ("class", "expected a name of small letters"),
        ("torch", "name of an installed package"),
        ("pipeline", "name of an installed package"),
        ("tests", "name of an installed package"),
    ],
)
def test_a_name_that_can_not_be_used_leaves_nothing_behind(name: str, said: str, project: Path) -> None:
    (project / "there").mkdir()
    with pytest.raises(ConfigError, match=said):
        create(project / name)
    assert [path.name for path in project.iterdir()] == ["there"]


def test_groups_that_a_project_lacks_come_from_the_package_and_its_own_come_first(own: Path) -> None:
    config = resolve(load_config(root=own))
    assert config["model"]["net"]["_target_"] == "own.nets.ResidualNet"
    assert config["data"]["in_shape"] == [1, 8, 8]  # of the package's digits
    assert resolve(load_config("model=mlp", root=own))["model"]["net"]["_target_"] == "pipeline.models.mlp.MLP"
    (own / "conf/model/mlp.yaml").write_text((own / "conf/model/residual.yaml").read_text())
    assert resolve(load_config("model=mlp", root=own))["model"]["net"]["_target_"] == "own.nets.ResidualNet"
    with pytest.raises(ConfigError, match=r"no such model\..*There are: .*mlp.*residual"):
        load_config("model=resnet", root=own)


def test_a_project_without_a_default_experiment_takes_a_model_on_the_command_line(own: Path) -> None:
    text = (own / "conf/config.yaml").read_text()
    (own / "conf/config.yaml").write_text(re.sub(r"  - experiment.*\n", "", text))
    assert load_config("model=residual", root=own).name == "digits"


def test_configurations_beside_the_packages_need_no_config_yaml(own: Path) -> None:
    (own / "conf/config.yaml").unlink()
    assert load_config("model=residual", "data=digits", root=own).model.net.width == 16


@pytest.mark.slow
def test_the_templates_own_tests_pass(own: Path) -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(words, cwd=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_verbs_about_the_lecture_refer_to_its_project(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("claims", "migrate proof.json", "prove HEAD", "stages"):
        assert _run(verb.split(), debug=False) == 2
        assert "about the lecture's experiments" in capsys.readouterr().err


def test_outside_a_project_a_verb_that_needs_one_names_pipeline_new(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verbs = ["claims", "collect x", "compare", "fingerprint x", "predict latest x", "prove x", "repro", "report"]
    for verb in [*verbs, "reproduce latest", "stages"]:
        assert _run(verb.split(), debug=False) == 2
        assert re.search(r"is not in a project.*`pipeline new my_project`", capsys.readouterr().err)
    assert not [*project.iterdir()]
