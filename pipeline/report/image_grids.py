"""Grids of images: a generator's samples and latent walks, and occlusion maps of a classifier."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
from matplotlib.figure import Figure

GAP = 0.125  # between images, as a fraction of an image's width
COLUMNS = 10


def sample_grid(images_NHW: np.ndarray, path: Path, columns: int = COLUMNS) -> None:
    """All images row by row: a class in each row, if there are `columns` images of each class."""
    rows = [images_NHW[start : start + columns] for start in range(0, len(images_NHW), columns)]
    _sheet(rows, path)


def samples_over_epochs(epochs: Sequence[tuple[int, np.ndarray]], path: Path, columns: int = COLUMNS) -> None:
    """A row of `columns` evenly spaced images for each (epoch, images)."""
    rows = [images[:: max(1, len(images) // columns)][:columns] for _, images in epochs]
    _sheet(rows, path, [f"epoch {epoch}" for epoch, _ in epochs])


def latent_walk(walks_KSHW: np.ndarray, path: Path) -> None:
    """A row for each class: images along the walk between two noise vectors."""
    _sheet(list(walks_KSHW), path)


def occlusion_grid(
    images_NHWC: np.ndarray, effects_NRR: np.ndarray, titles: Sequence[str], file: Path | IO[bytes]
) -> None:
    """Each image above a copy shaded by region effects: orange supports the prediction, purple opposes it."""
    count = len(images_NHWC)
    figure = Figure(figsize=(count * 1.8, 4), layout="constrained")
    for column, (image, effects) in enumerate(zip(images_NHWC, effects_NRR, strict=True)):
        height, width = image.shape[:2]
        for row in (0, 1):
            axes = figure.add_subplot(2, count, 1 + row * count + column)
            axes.imshow(image, extent=(0, width, height, 0))
            axes.axis("off")
        limit = max(float(np.abs(effects).max()), 1e-9)
        axes.imshow(effects, cmap="PuOr_r", vmin=-limit, vmax=limit, alpha=0.55, extent=(0, width, height, 0))
        figure.axes[2 * column].set_title(titles[column], fontsize=7)
    figure.savefig(file, dpi=110)


def _sheet(rows: Sequence[np.ndarray], path: Path, names: Sequence[str] = ()) -> None:
    """Rows of images, uint8 or in [0, 1], in one figure, black on white."""
    count, (height, width) = max(len(row) for row in rows), rows[0].shape[1:]
    down, right = round(height * (1 + GAP)), round(width * (1 + GAP))
    sheet = np.zeros((len(rows) * down, count * right), np.float32)
    for top, row in enumerate(rows):
        for left, image in enumerate(row):
            brightness = image / np.float32(255) if image.dtype == np.uint8 else image
            sheet[top * down : top * down + height, left * right : left * right + width] = brightness
    figure = Figure(figsize=(count * 0.6 + 1.1, len(rows) * 0.6), layout="constrained")
    axes = figure.subplots()
    axes.imshow(sheet, cmap="gray_r", vmin=0, vmax=1)
    axes.set_yticks([top * down + height / 2 for top in range(len(names))], names)
    axes.set_xticks([])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.savefig(path, dpi=110)
