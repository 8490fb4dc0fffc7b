"""Generator page: samples of the GAN by class, latent directions, interpolation, and samples over the training."""

from base64 import b64encode
from typing import TYPE_CHECKING, Annotated, cast

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from pipeline.app import stored
from pipeline.app.pages import Page

if TYPE_CHECKING:  # torch is imported when the first sample is drawn
    from torch import Tensor

    from pipeline.inference.generator import Generator

EXPERIMENT = "mnist_gan"
DIRECTIONS = 6
STEPS = 9  # images of an interpolation
EPOCHS_SHOWN = 8
router = APIRouter(prefix="/generator")
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
Offset = Annotated[float, Field(ge=-3, le=3, allow_inf_nan=False)]

# N images, S steps of the interpolation, Z latent dimensions


class LatentPoint(BaseModel):
    """A seed of the noise, offsets along the latent directions, the seed to interpolate to, and the class."""

    seed: Seed
    target_seed: Seed
    offsets: Annotated[list[Offset], Field(min_length=DIRECTIONS, max_length=DIRECTIONS)]
    label: Annotated[int, Field(ge=0, le=9)]


@router.post("/draw")
def draw(point: LatentPoint, request: Request) -> dict[str, object]:
    """One noise vector drawn as each class, and the chosen class interpolated to another noise vector."""
    import torch

    model = stored.find_model(request.app.state.root, EXPERIMENT)
    if model is None:
        return stored.untrained(EXPERIMENT)
    net = cast("Generator", model.predictor).generator_net
    size = net.noise
    directions_ZZ, _ = torch.linalg.qr(_noise(size * size, 0).reshape(size, size))
    start_Z = _noise(size, point.seed) + torch.tensor(point.offsets) @ directions_ZZ[:DIRECTIONS]
    noise_NZ = torch.cat([start_Z.expand(10, -1), _interpolate(start_Z, _noise(size, point.target_seed))])
    labels_N = torch.cat([torch.arange(10), torch.full((STEPS,), point.label)])
    with torch.inference_mode():
        images = (net(noise_NZ, labels_N)[:, 0] * 255).round().int().tolist()
    return {
        "experiment": EXPERIMENT,
        "source": model.source,
        "noise": size,
        "classes": images[:10],
        "interpolation": images[10:],
    }


@router.get("/samples")
def samples(request: Request) -> dict[str, object]:
    """Samples from one noise vector over the epochs of the run; of a recorded model, the sheet stored with it."""
    if (model := stored.find_model(request.app.state.root, EXPERIMENT)) is None:
        return {"epochs": []}
    paths = sorted((model.folder.parent / "samples").glob("epoch-*.npy"))
    shown = [paths[round(place)] for place in np.linspace(0, len(paths) - 1, min(EPOCHS_SHOWN, len(paths)))]
    sheet = model.folder / "samples.png"
    picture = b64encode(sheet.read_bytes()).decode() if not paths and sheet.is_file() else None
    return {"epochs": [np.load(path)[::10].tolist() for path in shown], "picture": picture}


def _interpolate(start_Z: "Tensor", end_Z: "Tensor") -> "Tensor":
    """(S, Z) points of a quarter circle from one noise vector to another.

    On a straight line the vectors half-way would be shorter than the noise that the generator was trained on.
    """
    import torch

    angle_S1 = torch.linspace(0, torch.pi / 2, STEPS)[:, None]
    return angle_S1.cos() * start_Z + angle_S1.sin() * end_Z


def _noise(size: int, seed: int) -> "Tensor":
    import torch

    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


PAGE = Page("generator", "Generator", "A GAN draws digits: explore its latent space.", router)
