"""Recorded layers are those of one's own forward pass, whatever other threads do with the net."""

from threading import Thread, get_ident
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.inference.hooks import recording
from pipeline.inference.predictor import ImageClassifier
from pipeline.models.mlp import MLP


def test_inputs_and_outputs_are_recorded_in_the_order_of_calls_and_not_after_the_block() -> None:
    first, second = nn.Linear(2, 3), nn.Linear(3, 1)
    net, inputs = nn.Sequential(first, second), torch.rand(4, 2)
    with recording([first, second]) as calls:
        output = net(inputs)
    net(torch.zeros(1, 2))
    assert len(calls) == 2
    assert torch.equal(calls[0][0], inputs)
    assert torch.equal(calls[1][0], calls[0][1])
    assert torch.equal(calls[1][1], output)


def test_the_features_of_one_thread_are_not_those_of_another_that_uses_the_net_at_the_same_time() -> None:
    net = MLP([1, 4, 4], 3, [5]).eval()
    predictor, images, others = ImageClassifier(net, {}, {}), torch.rand(2, 1, 4, 4), torch.rand(7, 1, 4, 4)
    alone = predictor.features(images)
    own = get_ident()

    def interrupt(_: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        if get_ident() == own:
            thread = Thread(target=predictor.features, args=(others,))
            thread.start()
            thread.join()

    first = next(layer for layer in net.modules() if isinstance(layer, nn.Linear))
    with first.register_forward_hook(interrupt):
        assert torch.equal(predictor.features(images), alone)
