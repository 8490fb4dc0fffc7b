"""Composition: the keys that users type, mistakes named with the next step, targets that may be called, threads."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.config import build, find_root, flatten, load_config, resolve, revive, stored
from pipeline.errors import ConfigError

# The keys users type, with their defaults.
CONTRACT = {
    "seed": 0,
    "data.batch_size": 128,
    "data.allow_sample": True,
    "trainer.max_epochs": 7,
    "trainer.precision": "32-true",
    "trainer.accumulate_grad_batches": 1,
    "model.net.hidden": 128,
    "model.optimizer.lr": 0.01,
    "cluster.workers": "auto",
    "trainer.shards": 2,
    "cluster.gpus_per_worker": "auto",
    "tracking.uri": "sqlite:///runs/mlflow.db",
}


def plain(*overrides: str) -> dict[str, object]:
    return dict(flatten(resolve(load_config(*overrides))))


def test_the_keys_that_users_type_are_frozen() -> None:
    values = plain()
    assert {key: values[key] for key in CONTRACT} == CONTRACT
    for choice in ("experiment=mnist_cnn", "data=mnist", "model=cnn"):
        plain(choice)


@pytest.mark.parametrize(
    ("override", "what", "hint"),
    [
        ("seed=x", "seed: expected a whole number, got 'x'", "seed=…"),
        ("seed=-1", "seed: expected a number from 0", "seed=…"),
        ("trainer.max_epoch=3", "trainer.max_epoch: no such key", "Did you mean trainer.max_epochs?"),
        ("model.net.hiden=3", "model.net.hiden: no such key", "Did you mean model.net.hidden?"),
        ("+model.net.hiden=3", "model.net.hiden: pipeline.models.cnn.CNN takes no such argument", "model.net.hidden?"),
        ("+trainer.fast=true", "trainer.fast: no such key", "`pipeline config`"),
        ("model.net.hidden=wide", "model.net.hidden: expected a whole number, got 'wide'", "model.net.hidden=…"),
        ("model.optimizer.lr=0", "model.optimizer.lr: expected a number from 1e-12", "model.optimizer.lr=…"),
        ("data.augment.rotate_deg=far", "data.augment.rotate_deg: expected a number, got 'far'", "rotate_deg=…"),
        ("model.label_smoothing=3", "model.label_smoothing: expected a number from 0 to 1", "model.label_smoothing=…"),
        ("data.allow_sample=maybe", "data.allow_sample: expected true or false", "data.allow_sample=…"),
        ("trainer.precision=8", "trainer.precision: expected one of 32-true", "trainer.precision=…"),
        ("cluster.gpus_per_worker=3", "cluster.gpus_per_worker: expected a number from 0 to 1", "…"),
        ("experiment=mnist_cn", "no such experiment", "Did you mean mnist_cnn?"),
        ("data=mnits", "no such data", "Did you mean mnist?"),
        ("a b", "a b: expected KEY=VALUE", "seed=1"),
        ("model.optimizer.lr=${nothing.there}", "nothing", "`pipeline config`"),
    ],
)
def test_a_mistake_is_named_with_the_next_step(override: str, what: str, hint: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(override)
    assert what in str(error.value)
    assert hint in str(error.value)
    assert "\n" not in str(error.value)


def test_arguments_left_over_from_another_optimiser_are_all_named_with_those_that_it_takes() -> None:
    with pytest.raises(ConfigError) as error:
        load_config("experiment=mnist_cnn", "model.optimizer._target_=torch.optim.SGD", "+model.optimizer.amsgrad=true")
    message = str(error.value)
    assert message.startswith("model.optimizer.betas, model.optimizer.amsgrad: torch.optim.SGD takes no such argument.")
    assert "It takes: lr, momentum, " in message
    assert "`~model.optimizer.betas` `~model.optimizer.amsgrad`" in message
    removed = ("~model.optimizer.betas", "model.optimizer._target_=torch.optim.SGD", "+model.optimizer.momentum=0.9")
    assert load_config("experiment=mnist_cnn", *removed).model.optimizer.momentum == 0.9


def test_an_argument_of_an_inherited_constructor_is_checked_too() -> None:
    with pytest.raises(ConfigError, match=r"model.start_with: .*TextClassification takes no such argument"):
        load_config("experiment=imdb_lstm", "+model.start_with=imdb_lm-0")


def test_a_key_that_only_other_choices_have_is_not_suggested_to_itself() -> None:
    with pytest.raises(ConfigError, match=r"^data.allow_sample: no such key\. (?!Did you mean data.allow_sample)"):
        load_config("experiment=perceptron_gates", "data.allow_sample=false")


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "subprocess.run",
        "builtins.open",
        "distutils.spawn.spawn",
        "multiprocessing.Process",
        "tarfile.open",
        "urllib.request.urlopen",
        "pipeline.models.cnn.torch.hub.load",
        "pipeline.models.cnn.torch",
        "pipeline.config.instantiate.build",
        "pipeline.models.cnn.nn",
        "pipeline.models.nothing.CNN",
        "torch.optim",
        "pipeline.models..cnn.CNN",
        "pipeline.data.images.image_data.../../x",
    ],
)
def test_no_other_target_can_be_called(target: str) -> None:
    with pytest.raises(ConfigError, match="may not be called"):
        load_config(f"model.net._target_={target}")
    with pytest.raises(ConfigError, match="may not be called"):
        build({"_target_": target})


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "requires.judge=mnist_cnn-0",
            r"requires\.judge: not set in this configuration. Add it with `\+requires\.judge=",
        ),
        ("+requires.members=mnist_cnn", r"requires\.members: expected a list such as \[a,b\], got 'mnist_cnn'"),
        ("+requires.members=[1]", r"requires\.members: expected a list"),
        ("+requires.tutor=mnist_cnn-0", r"requires\.tutor: no such key"),
    ],
)
def test_what_a_run_requires_is_spelled_in_four_keys(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(override)


def test_a_folder_of_ones_own_configurations_is_searched_too(tmp_path: Path) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/mine.yaml").write_text("# @package _global_\nname: mine\nseed: 7\n")
    mine = resolve(load_config("experiment=mine", config_dir=tmp_path))
    assert (mine["name"], mine["seed"]) == ("mine", 7)


def test_a_config_dir_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        load_config(config_dir=tmp_path / "none")
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/torn.yaml").write_text("a: [1,\n")
    with pytest.raises(ConfigError, match="torn"):
        load_config("experiment=torn", config_dir=tmp_path)


def test_the_project_is_found_from_any_folder_inside_it(tmp_path: Path) -> None:
    inside = tmp_path / "a/b"
    (tmp_path / "conf").mkdir()
    inside.mkdir(parents=True)
    assert find_root(inside) is None
    (tmp_path / "conf/config.yaml").touch()
    (tmp_path / "data.dvc").touch()
    assert find_root(inside) == tmp_path


def test_eighteen_threads_compose_store_and_resolve_at_once_as_each_would_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIPELINE_DATA_MIRROR", "https://mirror.example")
    expected = [(seed, "https://mirror.example", "${oc.env:PIPELINE_DATA_MIRROR,null}") for seed in range(36)]

    def compose(seed: int) -> tuple[object, object, object]:
        config = load_config(f"seed={seed}", "trainer.max_epochs=2")
        held = stored(config)["resolved"]["data"]["mirror"]  # replaces a resolver of the whole process for a moment
        plain = resolve(config)
        return plain["seed"], plain["data"]["mirror"], held

    with ThreadPoolExecutor(18) as pool:
        assert list(pool.map(compose, range(36))) == expected


DEFAULT = "sqlite:///runs/mlflow.db"


@pytest.mark.parametrize(
    ("variable", "overrides", "uri"),
    [
        (None, [], DEFAULT),
        ("", [], DEFAULT),
        ("http://server:5000", [], "http://server:5000"),
        ("http://server:5000", ["tracking.uri=sqlite:///own.db"], "sqlite:///own.db"),
        ("https://user:secret@server", [], "https://user:secret@server"),
    ],
)
def test_mlflows_variable_is_honoured_where_no_override_sets_the_address(
    variable: str | None, overrides: list[str], uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", variable)
    config = load_config(*overrides)
    assert resolve(config)["tracking"]["uri"] == uri
    assert "secret" not in str(stored(config))


def test_a_run_is_resumed_in_the_store_it_began_in_though_the_variable_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    open_address = stored(load_config())["resolved"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:secret@server:5000")
    with_password = stored(load_config())["resolved"]
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert revive(open_address)["tracking"]["uri"] == "http://server:5000"
    with pytest.raises(ConfigError, match=r"MLFLOW_TRACKING_URI.* Set it as it was when the run began"):
        revive(with_password)
