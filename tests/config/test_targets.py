"""What a configuration may name is found, and what it takes, without being run."""

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch

from pipeline.config import build, check_targets, use_project
from pipeline.config.kind import task_of
from pipeline.config.targets import SUPPLIED, allowed, locate, parameters, refusal
from pipeline.errors import ConfigError

THEIRS = [
    *(f"torch.optim.{name}" for name in ("Adafactor", "Adam", "AdamW", "Muon", "NAdam", "RMSprop", "SGD")),
    *(f"torch.optim.lr_scheduler.{name}" for name in ("CosineAnnealingLR", "LinearLR", "OneCycleLR", "StepLR")),
]


def test_torchs_optimisers_and_schedules_are_allowed_as_families() -> None:
    optimisers = {name for name, of in vars(torch.optim).items() if inspect.isclass(of) and name != "Optimizer"}
    unfit = {"LBFGS", "SparseAdam"}
    assert {name for name in optimisers if allowed(f"torch.optim.{name}")} == optimisers - unfit
    for target in THEIRS:
        file, line = locate(target)
        assert file.read_text().splitlines()[line - 1].startswith(f"class {target.rpartition('.')[2]}(")


@pytest.mark.parametrize(
    "target",
    [
        "torch.optim.Optimizer",
        "torch.optim.LBFGS",  # calls a closure
        "torch.optim.lr_scheduler.LRScheduler",
        "torch.optim.lr_scheduler._LRScheduler",
        "torch.optim.lr_scheduler.ReduceLROnPlateau",  # of a metric
        "torch.optim.lr_scheduler.SequentialLR",  # of built schedules
        "torch.optim.lr_scheduler.Path",
        "torch.optim.lr_scheduler",
        "torch.optim.swa_utils.AveragedModel",
        "torch.optim.adam.Adam",
        "torch.optim.adam.torch.load",
        "torch.load",
    ],
)
def test_nothing_else_of_torch_is_allowed(target: str) -> None:
    assert not allowed(target)


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


LAYERS = """
import torch
from torch import nn
from torch.nn import functional as F
from pipeline.tasks import classification as base
from pipeline.tasks.gan import GAN as Base
from . import nets
from .nets import ResidualNet as Former

class Wide(Former):
    pass

class Gated(Former):
    def __init__(self, gate: float, **others): super().__init__(**others)

class Weighted(base.Classification):
    pass

class Critic(Base):
    pass

class Adopted(nn.Linear):
    pass

class Bare(nn.Module):
    pass

def function(inputs: int): return inputs

_hidden = function
alias = nets.ResidualNet
"""


@pytest.fixture
def layers(own: Path) -> Path:
    """The project with a module of many ways to define a class."""
    (own / "own/layers.py").write_text(LAYERS)
    return own


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("nets.ResidualNet", ["in_shape", "classes", "width", "blocks"]),
        ("layers.Wide", ["in_shape", "classes", "width", "blocks"]),
        ("layers.Gated", ["gate", "in_shape", "classes", "width", "blocks"]),
        ("layers.Weighted", ["net", "optimizer", "schedule", "label_smoothing", "logit_match_weight"]),
        ("layers.Adopted", None),  # torch's: Python checks it at the call
        ("layers.Bare", []),
        ("layers.function", ["inputs"]),
    ],
)
def test_a_class_of_the_project_may_be_called_with_the_arguments_it_takes(
    name: str, accepted: list[str] | None, layers: Path
) -> None:
    assert allowed(f"own.{name}")
    found = parameters(f"own.{name}")
    assert (None if found is None else list(found)) == accepted


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("own.nets.Missing", r"own/nets.py defines no class or function Missing. It defines: Block, ResidualNet"),
        ("own.layers.nn", "defines no class or function nn"),
        ("own.layers.F.relu", "has no module own.layers.F"),
        ("own.layers.alias", "Name the module that defines a class"),
        ("own.layers._hidden", "defines no class or function _hidden"),
        ("own.other.Net", "has no module own.other"),
        ("theirs.nets.Net", r"may not be called.*To call classes of theirs .* add it to `modules`"),
        ("tests.test_own.ROOT", "may not be called"),
        ("os.system", "may not be called"),
    ],
)
def test_what_a_project_does_not_name_or_define_may_not_be_called(target: str, said: str, layers: Path) -> None:
    assert not allowed(target)
    assert re.search(said, refusal(target))


def test_a_stored_model_of_another_project_can_not_widen_the_list(layers: Path) -> None:
    node = {"_target_": "own.nets.ResidualNet", "in_shape": [1, 8, 8], "classes": 2}
    build(node)
    use_project(None)  # as in the folder of another project
    with pytest.raises(ConfigError, match=r"'own.nets.ResidualNet' may not be called.*`pipeline new my_project`"):
        build(node)


def test_a_task_of_ones_own_does_what_its_base_does(layers: Path) -> None:
    assert task_of({"model": {"_target_": "own.layers.Critic"}}).does == "generate"
    assert task_of({"model": {"_target_": "own.layers.Weighted"}}).does == "classify"


def test_a_module_that_is_not_python_or_fails_is_named_with_its_line(own: Path) -> None:
    node = {"_target_": "own.broken.Net"}
    (own / "own/broken.py").write_text("class Net:\n    def f(:\n")
    with pytest.raises(ConfigError, match=r"own/broken.py:2: not Python \(invalid syntax\)"):
        check_targets(node)
    (own / "own/broken.py").write_text("import absent_library\nclass Net: pass\n")
    with pytest.raises(ConfigError, match=r"own/broken.py:1 in <module>: ModuleNotFoundError: .*absent_library"):
        build(node)
    (own / "own/failing.py").write_text("class Net:\n    def __init__(self):\n        self.x = 1 / 0\n")
    with pytest.raises(ConfigError, match=r"own/failing.py:3 in __init__: ZeroDivisionError"):
        build({"_target_": "own.failing.Net"})
