"""Estimate how many labels of MNIST's train set are wrong, by confident learning in cross-validation.

    python -m benchmarks.wrong_labels      # writes into .cache/wrong_labels

Each of five nets (`experiment=mnist_fast`) is trained on four fifths of the train images and predicts the rest. The
labels that look wrong are printed, and drawn into sheets for a person to judge; the judgements are in
`pipeline.evaluation.judged_labels`. As a check the nets' mean prediction names suspects among the test labels, of which
it is known by votes which are wrong. Takes about a minute of CPU time.
"""

import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from sklearn.model_selection import StratifiedKFold

from pipeline.config import build_data, load_config, resolve
from pipeline.data.images.idx_images import idx_pairs, read_pair
from pipeline.evaluation.known_label_errors import KNOWN_LABEL_ERRORS
from pipeline.evaluation.label_errors import suspects
from pipeline.inference.predictor import ImageClassifier
from pipeline.kinds import load
from pipeline.training.fit import fit

# N samples, M test samples, C classes
FOLDS = 5
# Smoothed labels would keep every probability below .95, about as high as the mean that a class is judged by.
RECIPE = ("model.label_smoothing=0", "trainer.max_epochs=4")
CLASSES = 10
COLUMNS, ROWS, SCALE = 8, 5, 4  # of a sheet


def main(root: Path) -> None:
    """Print the suspects of train and of test, and draw those of train."""
    folder = root / ".cache/wrong_labels"
    parts = {split: read_pair(*pair) for split, pair in idx_pairs(root / "data/mnist").items()}
    images, label_N = parts["train"][0], parts["train"][1].astype(int)
    test_images, test_label_M = parts["test"][0], parts["test"][1].astype(int)
    scores_NC, test_scores_MC = out_of_fold(images, label_N, test_images, folder)
    print(f"accuracy out of fold {(scores_NC.argmax(axis=1) == label_N).mean():.4f}")
    found, likely = suspects(scores_NC, label_N)
    likely_of = dict(zip(found.tolist(), likely.tolist(), strict=True))
    print(f"train: {len(found)} of {len(label_N)} labels look wrong, the most certain first")
    for row, other in likely_of.items():
        print(f"{row}: {label_N[row]} {scores_NC[row, label_N[row]]:.4f}, {other} {scores_NC[row, other]:.4f}")
    draw(images, label_N, likely_of, folder)
    in_test, known = suspects(test_scores_MC, test_label_M)[0].tolist(), set(KNOWN_LABEL_ERRORS["mnist"])
    print(f"test: {in_test} look wrong, {len(known & set(in_test))} of {len(known)} known wrong ones among them")


def out_of_fold(
    images: np.ndarray, label_N: np.ndarray, others: np.ndarray, folder: Path
) -> tuple[np.ndarray, np.ndarray]:
    """(N, C) probabilities of each image by the net that was not trained on it; the nets' mean for other images."""
    scores_NC = np.zeros((len(label_N), CLASSES))
    others_MC = np.zeros((len(others), CLASSES))
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    for fold, (rest, held_out) in enumerate(splitter.split(images, label_N)):
        part = folder / f"fold-{fold}"
        write_idx(part / "data", "train", images[rest], label_N[rest])
        write_idx(part / "data", "t10k", images[held_out], label_N[held_out])
        config = resolve(load_config("experiment=mnist_fast", "data=idx_images", f"data.path={part / 'data'}", *RECIPE))
        config["cluster"]["gpus_per_worker"] = 0
        fit(config, data_dir=part, run_dir=part)
        net = load(part / "model")
        assert isinstance(net, ImageClassifier)
        scores_NC[held_out] = net.predict_split(build_data(config, part), "test").y_score
        others_MC += net.class_probabilities(list(others)) / FOLDS
    return scores_NC, others_MC


def write_idx(folder: Path, prefix: str, images: np.ndarray, label_N: np.ndarray) -> None:
    """Write a pair of IDX files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in (("images-idx3", images), ("labels-idx1", label_N.astype(np.uint8))):
        head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (folder / f"{prefix}-{name}-ubyte").write_bytes(head + np.ascontiguousarray(array).tobytes())


def draw(images: np.ndarray, label_N: np.ndarray, likely_of: dict[int, int], folder: Path) -> None:
    """Draw the images of some rows into sheets, each with its row, its label, and the class it looks like."""
    rows = list(likely_of)
    side, text = images.shape[1] * SCALE, 14
    for number, start in enumerate(range(0, len(rows), COLUMNS * ROWS)):
        sheet = Image.new("L", (COLUMNS * (side + 8), ROWS * (side + text + 8)), 90)
        pen = ImageDraw.Draw(sheet)
        for place, row in enumerate(rows[start : start + COLUMNS * ROWS]):
            left, top = place % COLUMNS * (side + 8), place // COLUMNS * (side + text + 8)
            sheet.paste(Image.fromarray(images[row]).resize((side, side), Image.Resampling.BICUBIC), (left, top + text))
            pen.text((left, top), f"{row}: {label_N[row]}, {likely_of[row]}?", 255)
        sheet.save(folder / f"suspects-{number}.png")


if __name__ == "__main__":
    main(Path.cwd())
