"""Overrides that Hydra can't read or ignores are refused with the way to write them."""

import shlex
from pathlib import Path

import pytest

from pipeline.config import load_config
from pipeline.errors import ConfigError, DataError


@pytest.mark.parametrize(
    ("override", "suggestion"),
    [
        ("mlp_xor", "Did you mean `experiment=mlp_xor`?"),
        ("lstm", "Did you mean `model=lstm`?"),
        ("mlpxor", "Did you mean experiment=mlp_xor?"),
        ("seed", "Did you mean `seed=…`?"),
        ("a b", "Example: `pipeline train"),
        ("=3", "`pipeline config` lists the keys"),
    ],
)
def test_a_word_without_a_key_is_answered_with_the_key_it_may_lack(override: str, suggestion: str) -> None:
    with pytest.raises(ConfigError, match="expected KEY=VALUE") as error:
        load_config(override)
    assert suggestion in str(error.value)


@pytest.mark.parametrize("override", ["hydra.run.dir=x", "+hydra.x=1", "hydra/launcher=basic", "hydra.searchpath=[a]"])
def test_settings_of_hydra_itself_are_refused(override: str) -> None:
    with pytest.raises(ConfigError, match="Hydra's own settings have no effect here"):
        load_config(override)


@pytest.mark.parametrize(
    ("override", "command"),
    [
        ("seed=1,2", "`pipeline sweep seed=1,2`"),
        ("seed=range(1,4)", "`pipeline sweep 'seed=range(1,4)'`"),
        ("model=cnn,mlp", "`pipeline sweep model=cnn,mlp`"),
        ("data.features=x1,x2", "or give a list: 'data.features=[x1,x2]'"),
    ],
)
def test_several_values_point_to_sweep(override: str, command: str) -> None:
    with pytest.raises(ConfigError, match="several values where one is expected") as error:
        load_config(override)
    assert command in str(error.value)
    assert "multirun" not in str(error.value)


@pytest.mark.parametrize("name", ["a(b", "a=b", "a#b", "a'b", 'a"b', "数据", "a)b", "a{b", "größe", "a b#c", "~a&b"])
def test_a_path_that_needs_quotes_is_answered_with_an_override_that_works(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    with pytest.raises(ConfigError, match="must be quoted twice") as error:
        load_config("data=image_folder", f"data.path={folder}")
    (quoted,) = shlex.split(str(error.value).rpartition("Write ")[2].removesuffix("."))
    with pytest.raises(DataError) as missing:  # read as it was meant: there is no such folder
        load_config("data=image_folder", quoted)
    assert str(missing.value).startswith(f"{folder}: ")


def test_a_folder_of_configurations_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "größe (a=b)"
    (folder / "experiment").mkdir(parents=True)
    (folder / "experiment/own.yaml").write_text("# @package _global_\nname: own\n")
    assert load_config("experiment=own", config_dir=folder).name == "own"
