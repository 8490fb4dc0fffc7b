"""A step of plain SGD with a rate of 1 is Rosenblatt's rule."""

from functools import partial

import torch

from pipeline.data.toy2d.toy2d_data import gate
from pipeline.models.perceptron import Perceptron
from pipeline.tasks.online import Online


def test_a_step_adds_exactly_the_corrections_to_the_weights() -> None:
    net, twin = (Perceptron([2], 2, "one_vs_all", averaged=False) for _ in range(2))
    task = Online(net, partial(torch.optim.SGD, lr=1))
    optimizer = task.optimizer(task.parameters())
    rights = 0.0
    for _ in range(3):
        change, right = twin.online_update(*gate("or"))
        with torch.no_grad():
            twin.weights_KD.add_(change)
        optimizer.zero_grad()
        task.training_step(gate("or"), 0).backward()
        optimizer.step()
        assert torch.equal(net.weights_KD, twin.weights_KD)
        rights += float(right.sum())
    assert task.sums["train"][0, 1:3].tolist() == [rights, 12.0]
