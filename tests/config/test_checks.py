"""Names, keys and values that a configuration may not hold, and the suggestions of their errors."""

import pytest

from pipeline.config import check_name, check_precision, check_targets, load_config, resolve
from pipeline.config.checks import suggest
from pipeline.errors import ConfigError


@pytest.mark.parametrize("name", ["mnist_cnn", "mnist-5k", "v1.0+wide", "A", "9" * 100])
def test_a_name_of_letters_digits_and_a_few_marks_is_accepted(name: str) -> None:
    check_name("name", name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../../evil",
        "a/b",
        "a b",
        "a\nb",
        "-a",
        ".hidden",
        "a@latest",
        "größe",
        "caf\udce9",
        "9" * 101,
        None,
        3,
    ],
)
def test_a_name_that_leaves_its_folder_or_its_encoding_is_refused(name: object) -> None:
    with pytest.raises(ConfigError, match=r"name: expected .*Choose another name"):
        check_name("name", name)


@pytest.mark.parametrize("override", ["name=../../evil", "name='a b/c'", "name=", "data.name=../x", 'name="größe"'])
def test_an_override_with_such_a_name_is_refused_before_anything_is_written(override: str) -> None:
    with pytest.raises(ConfigError, match=r"name: expected a name of up to 100 ASCII letters"):
        load_config(override)


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("+foo=1", r"^foo: no such key"),
        ("++foo.bar=1", r"^foo: no such key"),
        ("~seed", r"^seed: not set, and every run needs it"),
        ("~trainer.max_epochs", r"^trainer.max_epochs: not set"),
        ("requires=3", r"^requires: expected keys below it, got 3"),
        ("model.optimizer._target_=torch.optim.SGD", r"model.optimizer.betas: torch.optim.SGD takes no such argument"),
    ],
)
def test_a_key_without_effect_or_without_its_value_is_refused(override: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load_config(override)


def test_a_target_hidden_in_a_list_or_deep_below_is_found() -> None:
    with pytest.raises(ConfigError, match=r"a\[0\].b._target_"):
        check_targets({"a": [{"b": {"_target_": "os.system"}}]})


def test_float16_on_cpus_is_refused_as_soon_as_the_device_is_known() -> None:
    half = resolve(load_config("trainer.precision=16-mixed"))  # auto: not known yet
    for gpus, refused in ((1, False), (0, True)):
        config = {**half, "cluster": {**half["cluster"], "gpus_per_worker": gpus}}
        if refused:
            with pytest.raises(ConfigError, match=r"Use trainer\.precision=bf16-mixed or 32-true"):
                check_precision(config)
        else:
            check_precision(config)
    with pytest.raises(ConfigError, match="16-mixed needs a GPU"):
        load_config("trainer.precision=16-mixed", "cluster.gpus_per_worker=0")


KEYS = ["trainer.max_epochs", "model.net.hidden", "model.optimizer.lr", "data.lr"]


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("model.net.hiden", "model.net.hidden"),
        ("hidden", "model.net.hidden"),
        ("trianer.max_epochs", "trainer.max_epochs"),
        ("model.lr", "model.optimizer.lr"),
        ("data.lrs", "data.lr"),
        ("model.widht", None),  # like `model.net.hidden` as a whole, and yet another word
    ],
)
def test_a_suggestion_has_the_most_similar_last_part(word: str, key: str | None) -> None:
    assert suggest(word, KEYS) == (f" Did you mean {key}?" if key else "")
