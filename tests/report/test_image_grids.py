"""Pictures of generators: the right images in the right places."""

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from pipeline.inference.generator import Generator
from pipeline.models import gan
from pipeline.report import image_grids


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """What is drawn on the figures, before it becomes a file."""
    sheets: list[np.ndarray] = []
    save = Figure.savefig

    def remember(figure: Figure, *args: object, **kwargs: object) -> None:
        sheets.append(np.asarray(figure.axes[0].images[0].get_array()))
        save(figure, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", remember)
    return sheets


def brightness(shades: int) -> np.ndarray:
    """8x8 images, each of one shade: 1, 2, 3, …"""
    return np.ones((shades, 8, 8), np.uint8) * np.arange(1, shades + 1, dtype=np.uint8)[:, None, None]


def test_a_grid_has_ten_images_a_row_in_their_order(tmp_path: Path, shown: list[np.ndarray]) -> None:
    image_grids.sample_grid(brightness(30), tmp_path / "grid.png")
    assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")
    assert np.rint(shown[0][::9, ::9] * 255).tolist() == np.arange(1, 31).reshape(3, 10).tolist()


def test_each_epoch_is_a_row_with_every_tenth_of_a_hundred_images(tmp_path: Path, shown: list[np.ndarray]) -> None:
    image_grids.samples_over_epochs([(1, brightness(100)), (5, brightness(100) + 100)], tmp_path / "epochs.png")
    rows = [[shade + first for shade in range(1, 101, 10)] for first in (0, 100)]
    assert np.rint(shown[0][::9, ::9] * 255).tolist() == rows


def test_a_walk_starts_and_ends_at_its_two_noises_and_keeps_their_length(
    tmp_path: Path, shown: list[np.ndarray]
) -> None:
    net = gan.Generator([1, 8, 8], 3).eval()
    seen: list[torch.Tensor] = []
    net.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    image_grids.latent_walk(Generator(net, {}, {}).walk(seed=4, steps=7), tmp_path / "walk.png")
    ends = torch.randn(2, 64, generator=torch.Generator().manual_seed(4))
    assert len(seen) == 3
    for noise in seen:
        torch.testing.assert_close(noise[[0, -1]], ends)
        low, high = ends.norm(dim=1).aminmax()
        assert low - 0.2 <= noise.norm(dim=1).min() <= noise.norm(dim=1).max() <= high + 0.2
    with torch.inference_mode():
        last = net(ends[1:], torch.tensor([2]))[0, 0].numpy()
    np.testing.assert_allclose(shown[0][18:26, 54:62], last, atol=1e-5)
