"""The MNIST example of pytorch/examples: its net and recipe, stopped by validation.

Source: github.com/pytorch/examples, mnist/main.py: batch 64, Adadelta, rate 1 and .7 of it each epoch, ≤ 14 epochs.
The transforms of torchvision's data set are written out, because its wheels do not fit every build of torch. Batches
are shuffled, which the example does on GPUs only.
"""

import sys

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from benchmarks.contenders.common import GOAL, Arrays, Clock, mnist, report

EPOCHS, BATCH, TEST_BATCH, RATE, GAMMA = 14, 64, 1000, 1.0, 0.7


class Digits(Dataset[tuple[Tensor, int]]):
    """torchvision's MNIST with ToTensor and Normalize, image by image."""

    def __init__(self, arrays: Arrays) -> None:
        self.images, self.labels = (torch.from_numpy(array) for array in arrays)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.images[index].numpy(), mode="L")
        pixels = torch.from_numpy(np.array(picture, np.uint8, copy=True)).view(28, 28, 1)
        image = pixels.permute(2, 0, 1).contiguous().to(torch.float32).div(255)
        return image.clone().sub_(0.1307).div_(0.3081), int(self.labels[index])


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, images: Tensor) -> Tensor:
        features = F.max_pool2d(F.relu(self.conv2(F.relu(self.conv1(images)))), 2)
        hidden = F.relu(self.fc1(self.dropout1(features).flatten(1)))
        return F.log_softmax(self.fc2(self.dropout2(hidden)), dim=1)


def train(net: Net, loader: DataLoader[tuple[Tensor, int]], optimizer: torch.optim.Optimizer) -> None:
    net.train()
    for images, labels in loader:
        optimizer.zero_grad()
        F.nll_loss(net(images), labels).backward()
        optimizer.step()


def accuracy(net: Net, loader: DataLoader[tuple[Tensor, int]]) -> float:
    net.eval()
    correct = count = 0
    with torch.no_grad():
        for images, labels in loader:
            correct += int((net(images).argmax(dim=1) == labels).sum())
            count += len(labels)
    return correct / count


def main(seed: int, epochs: int = EPOCHS) -> None:
    torch.manual_seed(seed)
    data = {split: Digits(arrays) for split, arrays in mnist().items()}
    batches = DataLoader(data["train"], batch_size=BATCH, shuffle=True)
    net = Net()
    optimizer = torch.optim.Adadelta(net.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=GAMMA)
    clock, val, epoch = Clock(), 0.0, 0
    while val < GOAL and epoch < epochs:
        train(net, batches, optimizer)
        val = accuracy(net, DataLoader(data["val"], batch_size=TEST_BATCH))
        schedule.step()
        epoch += 1
    spent = clock.read()
    report(epochs=epoch, val=val, test=accuracy(net, DataLoader(data["test"], batch_size=TEST_BATCH)), **spent)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
