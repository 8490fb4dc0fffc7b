"""Near-duplicates by difference hash: photographs, mirror images, drawings on a plain ground."""

import numpy as np
import pytest
from PIL import Image

from pipeline.data.images.decode import SIDE, _difference_hash
from pipeline.data.images.prepared import near_duplicates


def hashes(steps_NK: np.ndarray) -> np.ndarray:
    """The hashes of images with these steps: 1 brighter, -1 darker, 0 neither."""
    return np.packbits(np.stack([steps_NK > 0, steps_NK < 0], axis=1), axis=-1)


def mirrored(steps: np.ndarray) -> np.ndarray:
    return -steps.reshape(SIDE, SIDE)[:, ::-1].reshape(-1)


@pytest.mark.parametrize("block", [2, 100])
def test_hashes_are_compared_with_mirrors_and_in_blocks(block: int) -> None:
    steps = np.random.default_rng(0).choice([-1, 1], (7, SIDE * SIDE))
    steps[3] = steps[0]
    steps[3, :40] *= -1  # 40 of 256 differ
    steps[5] = mirrored(steps[1])
    steps[6] = steps[2]
    steps[6, :41] *= -1
    groups = near_duplicates(hashes(steps), block)
    assert groups[0] == groups[3]
    assert groups[1] == groups[5]
    assert len(set(groups.tolist())) == 5


def test_the_hash_of_a_mirror_image_is_the_mirrored_hash() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    brighter, darker = np.unpackbits(_difference_hash(Image.fromarray(pixels)), axis=-1).astype(int)
    of_mirror = np.unpackbits(_difference_hash(Image.fromarray(pixels[:, ::-1])), axis=-1).astype(int)
    # Rounding while scaling may turn a step the other way where neighbours are equally bright.
    assert np.mean(mirrored(brighter - darker) == of_mirror[0] - of_mirror[1]) > 0.98


def test_steps_where_both_images_are_plain_do_not_count_as_agreement() -> None:
    steps = np.zeros((4, SIDE * SIDE), int)
    steps[0, :20] = steps[1, 20:40] = 1  # two drawings: 216 of 256 steps are 0 in both
    steps[2, :20], steps[2, 20:26] = 1, -1  # the first one, and a little more
    groups = near_duplicates(hashes(steps))  # the last image is plain
    assert groups[0] == groups[2]
    assert len(set(groups.tolist())) == 3


def test_copies_of_drawings_on_a_plain_ground_are_near_duplicates_and_other_drawings_are_not() -> None:
    drawings = []
    for number in range(12):  # a bar at one of 12 angles
        canvas = Image.new("L", (200, 200), 255)
        canvas.paste(0, (90, 30, 110, 170))
        drawings.append(canvas.rotate(15 * number, Image.Resampling.BICUBIC, fillcolor=255))
    copies = [drawing.resize((90, 90)) for drawing in drawings]
    groups = near_duplicates(np.stack([_difference_hash(picture) for picture in [*drawings, *copies]]))
    assert (groups[:12] == groups[12:]).all()
    # Mirror images: a bar at 15 degrees and one at 165.
    assert len(set(groups[:7].tolist())) == 7
    assert [groups[number] == groups[12 - number] for number in range(1, 6)] == [True] * 5
