"""Every configured model trains for one batch: a finite loss, every parameter changes. Headers are in one form."""

import re
from pathlib import Path

import pytest
import torch

from pipeline.config import build, build_data, load_config, resolve

CONF = Path(__file__).parents[1] / "conf"
MODELS = sorted(file.stem for file in (CONF / "model").glob("*.yaml"))
BASELINES = [model for model in MODELS if "pipeline.training.baselines." in (CONF / f"model/{model}.yaml").read_text()]
SMALL = ["data.batch_size=8"]
EXPERIMENTS = sorted(file.stem for file in (CONF / "experiment").glob("*.yaml"))


def usual_data(model: str) -> str:
    """The data set in the command of a model's header."""
    found = re.search(rf"^# pipeline train model={model} data=(\w+)$", (CONF / f"model/{model}.yaml").read_text(), re.M)
    assert found, model
    return found[1]


@pytest.mark.parametrize("model", sorted({*MODELS} - {*BASELINES}))
def test_every_model_trains_for_one_batch(model: str, tiny_mnist: Path, tiny_imdb: Path, shapes: Path) -> None:
    usual = usual_data(model)
    own = usual == "dogs_vs_cats"  # the lecture's pictures, or here others
    which = ["data=image_folder", "data.path=shapes"] if own else [f"data={usual}", "data.val_size=8"]
    config = resolve(load_config(f"model={model}", *which, *SMALL, root=tiny_mnist if own else None))
    data, task = build_data(config, tiny_mnist / "data"), build(config["model"])
    data.setup()
    if hasattr(task.net, "extract_features"):
        data.use_frozen_features(task.net.extract_features, task.net.frozen_digest())
    learned = [parameter for parameter in task.parameters() if parameter.requires_grad]
    optimizer = task.optimizer(learned)
    before = [parameter.detach().clone() for parameter in learned]
    loss = task.training_step(data.on_after_batch_transfer(next(iter(data.train_dataloader())), 0), 0)
    loss.backward()
    optimizer.step()
    assert torch.isfinite(loss)
    assert all((a != b).any() for a, b in zip(before, learned, strict=True))


@pytest.mark.parametrize(
    "file",
    [*(CONF / "model").glob("*.yaml"), *(CONF / "data").glob("*.yaml")],
    ids=lambda file: f"{file.parent.name}-{file.stem}",
)
def test_the_header_of_a_model_and_of_a_data_set_says_what_it_is_and_its_command(file: Path) -> None:
    what, command, *_ = file.read_text().splitlines()
    assert what.startswith("# ")
    assert what.endswith(".")
    assert command.startswith("# pipeline train model=")
    assert f"{file.parent.name}={file.stem}" in command.split()


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_and_is_named_after_its_file(experiment: str) -> None:
    assert resolve(load_config(f"experiment={experiment}"))["name"] == experiment


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiments_header_says_what_it_is_and_its_command_and_holds_no_score(experiment: str) -> None:
    _, what, command, *_ = (CONF / f"experiment/{experiment}.yaml").read_text().splitlines()
    assert what.endswith(".")
    assert "±" not in what
    assert command == f"# pipeline train experiment={experiment}"
