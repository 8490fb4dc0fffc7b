"""The adversarial nets: shapes, the lecture's sizes by hand, the projection against one linear score a class."""

import pytest
import torch

from pipeline.errors import ConfigError
from pipeline.models.gan import Discriminator, Generator, LectureDiscriminator, LectureGenerator, MinibatchStdDev


def parameters(net: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 8, 8), (3, 12, 20)])
def test_drawn_images_have_the_shape_and_range_of_the_data_and_can_be_judged(shape: tuple[int, int, int]) -> None:
    net, critic = Generator(shape, 5, noise=6), Discriminator(shape, 5)
    labels = torch.tensor([0, 4, 4])
    images = net(torch.randn(3, 6), labels)
    assert images.shape == (3, *shape)
    assert 0 <= images.min() < images.max() <= 1
    assert critic(images, labels).shape == (3,)


def test_the_generators_parameters_are_the_lectures_250144() -> None:
    # Linear 100 -> 4x4x128; kernels of 2x2, which take 4x4 to 8x8 in four steps; two of batch norm a channel.
    assert parameters(LectureGenerator([1, 8, 8], 10)) == 101 * 2048 + 4 * (128 * 64 + 64 * 32 + 32 * 16 + 16) + 2 * 112
    assert parameters(LectureGenerator([1, 8, 8], 10)) == 250_144


def test_the_discriminators_parameters_are_the_lectures_56097() -> None:
    # Kernels of 3x3, which take 8x8 to 2x2 in three steps; two of batch norm a channel but in the first.
    assert parameters(LectureDiscriminator([1, 8, 8])) == 9 * (32 + 32 * 64 + 64 * 64) + 2 * 128 + (64 * 2 * 2 + 1)
    assert parameters(LectureDiscriminator([1, 8, 8])) == 56_097


def test_the_lectures_nets_draw_8x8_digits_whatever_the_label() -> None:
    net, critic = LectureGenerator([1, 8, 8], 10).eval(), LectureDiscriminator([1, 8, 8]).eval()
    noise = torch.randn(1, 100).repeat(2, 1)
    images = net(noise, torch.tensor([0, 1]))
    assert images.shape == (2, 1, 8, 8)
    torch.testing.assert_close(images[0], images[1])
    torch.testing.assert_close(*critic(images, torch.tensor([0, 1])).split(1))


def test_the_label_changes_what_is_drawn_and_how_it_is_judged() -> None:
    net, critic = Generator([1, 8, 8], 10).eval(), Discriminator([1, 8, 8], 10)
    images = net(torch.randn(1, 64).repeat(2, 1), torch.tensor([0, 1]))
    assert not torch.equal(images[0], images[1])
    first, second = critic(images[:1].repeat(2, 1, 1, 1), torch.tensor([0, 1]))
    assert first != second


def test_the_projection_is_one_linear_score_a_class() -> None:
    critic = Discriminator([1, 8, 8], 4).double()
    images, labels = torch.rand(6, 1, 8, 8, dtype=torch.double), torch.tensor([0, 1, 2, 3, 3, 0])
    weights = critic.head.weight + critic.embed.weight
    every_class = critic.features(images) @ weights.T + critic.head.bias
    torch.testing.assert_close(critic(images, labels), every_class[range(6), labels])


def test_spread_is_the_mean_standard_deviation_over_the_batch() -> None:
    maps = torch.rand(7, 3, 2, 5)
    seen = MinibatchStdDev()(maps)
    torch.testing.assert_close(seen[:, :3], maps)
    expected = torch.from_numpy(maps.numpy().std(axis=0).mean(keepdims=True))
    torch.testing.assert_close(seen[:, 3:], expected.expand(7, 1, 2, 5), atol=1e-4, rtol=0)


def test_spread_of_equal_images_has_a_finite_slope() -> None:
    maps = torch.ones(4, 1, 2, 2, requires_grad=True)
    MinibatchStdDev()(maps).sum().backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()


def test_sides_that_cant_be_halved_are_a_config_error() -> None:
    with pytest.raises(ConfigError, match="halved 2 times, got 10x10"):
        Generator([1, 10, 10], 10)
    with pytest.raises(ConfigError, match="halved 3 times, got 28x28"):
        Discriminator([1, 28, 28], 10, channels=[4, 4, 4])


def test_truncation_shortens_the_noise_when_drawing_and_not_when_learning() -> None:
    torch.manual_seed(0)
    whole, half = Generator([1, 8, 8], 3, noise=4), Generator([1, 8, 8], 3, noise=4, truncation=0.5)
    half.load_state_dict(whole.state_dict())
    noise, labels = torch.randn(6, 4), torch.arange(6) % 3
    torch.testing.assert_close(half(noise, labels), whole(noise, labels))
    torch.testing.assert_close(half.eval()(noise, labels), whole.eval()(noise / 2, labels))
