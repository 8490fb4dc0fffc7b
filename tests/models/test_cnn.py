"""The convolutional net: shapes and parameters by hand, gradients against finite differences."""

import pytest
import torch

from pipeline.errors import ConfigError
from pipeline.models.cnn import CNN, shifted

LAYERS = [{"channels": 2, "kernel": 3, "pool": 2}, {"channels": 3, "kernel": 3, "padding": 0}]


def test_parameters_are_the_lectures_7262() -> None:
    net = CNN(
        [1, 28, 28],
        10,
        [{"channels": 6, "kernel": 3, "padding": 0, "pool": 2}, {"channels": 8, "kernel": 3, "padding": 0, "pool": 2}],
        hidden=32,
        batch_norm=False,
    )
    # 6(9+1) + 8(54+1) + 32(200+1) + 10(32+1)
    assert sum(parameter.numel() for parameter in net.parameters()) == 60 + 440 + 6432 + 330


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_any_batch_of_images_gives_one_logit_a_class(batch: int) -> None:
    net = CNN([3, 12, 10], 4, LAYERS, hidden=5).eval()
    assert net(torch.rand(batch, 3, 12, 10)).shape == (batch, 4)


def test_the_gradient_is_that_of_finite_differences() -> None:
    torch.manual_seed(0)
    net = CNN([1, 8, 8], 3, LAYERS, hidden=4, batch_norm=False).double()
    images = torch.rand(2, 1, 8, 8, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(net, (images,))


def test_an_image_too_small_for_the_layers_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"an image of shape \(1, 3, 3\) is too small"):
        CNN([1, 3, 3], 2, LAYERS, hidden=4)


def test_building_a_net_leaves_it_in_training_mode_with_fresh_batch_statistics() -> None:
    net = CNN([1, 8, 8], 3, LAYERS, hidden=4)
    assert all(module.training for module in net.modules())
    assert net.features[0][1].num_batches_tracked == 0  # type: ignore[index]


def test_an_input_scale_of_255_shows_the_net_pixels_as_they_are_stored() -> None:
    torch.manual_seed(0)
    plain = CNN([1, 8, 8], 3, LAYERS, hidden=4).eval()
    bright = CNN([1, 8, 8], 3, LAYERS, hidden=4, input_scale=255).eval()
    bright.load_state_dict(plain.state_dict())
    stored = torch.randint(0, 256, (2, 1, 8, 8)).float()
    torch.testing.assert_close(bright(stored / 255), plain(stored))


def test_cropped_pixels_are_as_if_they_were_not_there() -> None:
    net, of_the_rest = CNN([1, 12, 14], 3, LAYERS, hidden=4, crop=2).eval(), CNN([1, 8, 10], 3, LAYERS, hidden=4).eval()
    for own, other in zip(of_the_rest.parameters(), net.parameters(), strict=True):
        own.data.copy_(other)
    images = torch.rand(5, 1, 12, 14)
    torch.testing.assert_close(net(images), of_the_rest(images[:, :, 2:-2, 2:-2]))


def test_an_image_moves_by_a_pixel_each_way_and_zeros_come_in() -> None:
    image = torch.tensor([[1.0, 2], [3, 4]])[None, None]
    down, up, right, left = (view[0, 0].tolist() for view in shifted(image, 1))
    assert down == [[0, 0], [1, 2]]
    assert up == [[3, 4], [0, 0]]
    assert right == [[0, 1], [0, 3]]
    assert left == [[2, 0], [4, 0]]


def test_once_trained_it_answers_with_the_mean_over_moved_images_and_learns_from_the_image_alone() -> None:
    torch.manual_seed(0)
    net = CNN([1, 8, 8], 3, LAYERS, hidden=None, batch_norm=False, tta_shift_px=1)
    images = torch.rand(2, 1, 8, 8)
    learned = net(images)
    net.eval()
    alone = [net._logits(view) for view in [images, *shifted(images, 1)]]
    torch.testing.assert_close(learned, alone[0])
    torch.testing.assert_close(net(images), sum(alone) / 5)
    assert not torch.allclose(learned, net(images))
