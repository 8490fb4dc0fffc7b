"""A stored model's other uses: what its last layer sees, the images it draws."""

import pytest
import torch
from torch import nn

from pipeline.models.cnn import CNN
from pipeline.models.gan import Generator
from pipeline.models.mlp import MLP
from pipeline.predict import Predictor


@pytest.mark.parametrize(
    ("net", "last"),
    [
        (MLP([1, 8, 8], 4, [16, 7], dropout=0.5), "layers.7"),
        (CNN([1, 8, 8], 4, [{"channels": 2}], hidden=7, dropout=0.5), "head.4"),
    ],
    ids=["MLP", "CNN"],
)
def test_features_are_what_the_last_layer_turns_into_logits(net: nn.Module, last: str) -> None:
    predictor, images = Predictor(net.eval(), {}, {}), torch.rand(5, 1, 8, 8)
    features = predictor.features(images)
    assert features.shape == (5, 7)
    with torch.inference_mode():
        torch.testing.assert_close(net.get_submodule(last)(features), net(images))


def test_a_judge_sees_the_same_in_many_images_as_in_few() -> None:
    predictor = Predictor(MLP([1, 8, 8], 4, [6]).eval(), {}, {})
    images = torch.rand(1001, 1, 8, 8)
    judged = predictor.judge(images, None)
    assert judged.labels is None
    torch.testing.assert_close(torch.from_numpy(judged.features[-1:]), predictor.features(images[-1:]))
    torch.testing.assert_close(torch.from_numpy(judged.scores[-1:]), predictor.probabilities(images[-1:]))


def test_the_same_seed_draws_the_same_images_of_the_classes_asked_for() -> None:
    predictor = Predictor(Generator([1, 8, 8], 3, noise=5).eval(), {}, {})
    labels = torch.arange(1200) % 3
    images = predictor.generate(labels, seed=2)
    assert images.shape == (1200, 1, 8, 8)
    assert torch.equal(images, predictor.generate(labels, seed=2))
    assert not torch.equal(images, predictor.generate(labels, seed=3))
    noise = torch.randn(1200, 5, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        torch.testing.assert_close(images[1100:], predictor.net(noise[1100:], labels[1100:]))
