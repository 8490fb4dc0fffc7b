"""What a configuration may name is found, and what it takes, without being run."""

import inspect
import subprocess
import sys
from importlib import import_module

import pytest

from pipeline.config.targets import SUPPLIED, THEIRS, locate, parameters


def test_every_allowed_third_party_target_exists() -> None:
    for target in THEIRS:
        file, line = locate(target)
        assert file.is_file()
        assert line > 0


def test_locate_names_the_line_of_the_definition() -> None:
    file, line = locate("pipeline.models.cnn.CNN")
    assert file.read_text().splitlines()[line - 1].startswith("class CNN")


@pytest.mark.parametrize(
    "target",
    [
        "pipeline.models.cnn.CNN",
        "pipeline.tasks.text.TextClassification",  # its base's constructor
        "pipeline.tasks.language_modelling.LanguageModelling",
        "pipeline.data.texts.language_data.LanguageData",
        "pipeline.data.images.augment.Augment",  # a dataclass
        "pipeline.training.baselines.TfidfLogistic",
    ],
)
def test_what_a_class_takes_is_what_python_says_it_takes(target: str) -> None:
    module, _, name = target.rpartition(".")
    assert list(parameters(target) or ()) == list(inspect.signature(getattr(import_module(module), name)).parameters)


@pytest.mark.parametrize("target", sorted(THEIRS))
def test_what_a_class_of_torch_takes_is_what_python_says_it_takes(target: str) -> None:
    module, _, name = target.rpartition(".")
    accepted = inspect.signature(getattr(import_module(module), name)).parameters
    assert list(parameters(target) or ()) == [parameter for parameter in accepted if parameter not in SUPPLIED]


def test_the_parameters_of_torchs_classes_are_read_without_importing_torch() -> None:
    code = "import sys; from pipeline.config.targets import parameters; assert parameters('torch.optim.SGD')"
    subprocess.run([sys.executable, "-c", f"{code}; sys.exit('torch' in sys.modules)"], check=True)
