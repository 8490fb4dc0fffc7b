"""Letters in the form of digits."""

import numpy as np

from pipeline.data.images.letters import ANGLES, FONTS, LETTERS, letters


def test_letters_are_centred_like_digits_all_different_and_always_the_same() -> None:
    images = letters()
    assert images.shape == (len(LETTERS) * len(FONTS) * len(ANGLES), 28, 28)
    assert images.dtype == np.uint8
    assert len({image.tobytes() for image in images}) > 0.95 * len(images)
    mass = images.reshape(len(images), -1).astype(float)
    rows = (images.sum(axis=2) * np.arange(28)).sum(axis=1) / mass.sum(axis=1)
    assert abs(rows - 13.5).max() < 1.5  # the centre of mass
    assert (images[:, [0, 1, 26, 27]] == 0).mean() > 0.99  # a margin, as MNIST's images have
    np.testing.assert_array_equal(images, letters())
