"""Feature maps: their shapes, and that each is what its kernel, batch norm and activation make of the patches."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.errors import ConfigError
from pipeline.inference.feature_maps import convolution, feature_maps
from pipeline.models.cnn import CNN

LAYERS = [{"channels": 2, "kernel": 5, "stride": 2}, {"channels": 3, "kernel": 3, "padding": 0}]
IMAGE_CHW = torch.rand(1, 12, 12, generator=torch.manual_seed(0))


def net(**arguments: object) -> CNN:
    """A net whose batch norm has statistics and weights of its own, as after training."""
    torch.manual_seed(1)
    made = CNN([1, 12, 12], 3, LAYERS, hidden=None, **arguments).eval()  # type: ignore[arg-type]
    for norm in (module for module in made.modules() if isinstance(module, nn.BatchNorm2d)):
        for values in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
            assert values is not None
            nn.init.uniform_(values, 0.5, 1.5)
    return made


def test_each_convolution_has_its_maps() -> None:
    with_hooks = net()
    assert [maps.shape for maps in feature_maps(with_hooks, IMAGE_CHW)] == [(2, 6, 6), (3, 4, 4)]
    assert not any(module._forward_hooks for module in with_hooks.modules())


def test_of_a_net_with_test_time_augmentation_the_maps_are_of_the_image_itself() -> None:
    shifting = net(tta_shift_px=1)
    maps = feature_maps(shifting, IMAGE_CHW)
    assert len(maps) == 2
    torch.testing.assert_close(torch.from_numpy(maps[0]), shifting.features[0](IMAGE_CHW[None])[0])
    np.testing.assert_array_equal(convolution(shifting, IMAGE_CHW, 0, 1).outputs_HW, maps[0][1])


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize(("layer", "channel"), [(0, 0), (0, 1), (1, 2)])
def test_kernel_times_patch_is_torchs_convolution_and_leads_to_the_map(
    layer: int, channel: int, batch_norm: bool
) -> None:
    made = net(batch_norm=batch_norm, activation="tanh")
    steps = convolution(made, IMAGE_CHW, layer, channel)
    padded = np.pad(steps.inputs_CHW, ((0, 0), (steps.padding,) * 2, (steps.padding,) * 2))
    side = steps.kernel_CKK.shape[1]
    sums = np.array(
        [
            [
                sum(
                    float(steps.kernel_CKK[c, i, j]) * float(padded[c, y * steps.stride + i, x * steps.stride + j])
                    for c in range(len(padded))
                    for i in range(side)
                    for j in range(side)
                )
                for x in range(steps.outputs_HW.shape[1])
            ]
            for y in range(steps.outputs_HW.shape[0])
        ]
    )
    block: Any = made.features[layer]
    with torch.no_grad():
        before = made.features[:layer](IMAGE_CHW[None])
        np.testing.assert_array_equal(steps.inputs_CHW, before[0].numpy())
        convolved = block[0](before)[0, channel].numpy()
        output = block(before)[0, channel].numpy()
    np.testing.assert_allclose(sums + (0 if batch_norm else steps.shift), convolved, atol=1e-5)
    np.testing.assert_allclose(steps.sums_HW, sums, atol=1e-5)
    np.testing.assert_allclose(np.tanh(steps.scale * sums + steps.shift), output, atol=1e-5)
    np.testing.assert_array_equal(steps.outputs_HW, output)
    assert (steps.batch_norm, steps.activation, steps.pool) == (batch_norm, "tanh", 1)


def test_the_map_is_the_one_before_pooling_whose_side_is_named() -> None:
    pooling = CNN([1, 12, 12], 3, [{"channels": 2, "pool": 2}], hidden=None).eval()
    steps = convolution(pooling, IMAGE_CHW, 0, 1)
    assert (steps.outputs_HW.shape, steps.pool) == ((12, 12), 2)
    largest = steps.outputs_HW.reshape(6, 2, 6, 2).max(axis=(1, 3))
    np.testing.assert_array_equal(largest, feature_maps(pooling, IMAGE_CHW)[0][1])


@pytest.mark.parametrize(("layer", "channel"), [(2, 0), (1, 3)])
def test_a_map_that_the_network_lacks_is_refused(layer: int, channel: int) -> None:
    with pytest.raises(ConfigError, match=f"Map {channel + 1} of layer {layer + 1}: the network has no such map"):
        convolution(net(), IMAGE_CHW, layer, channel)
