"""Keras's LSTM on IMDB, on its torch backend: its layers and recipe, for STEPS steps.

Source: the example imdb_lstm of Keras 2: 20,000 words, the last 80 of a review, batch 32, Adam.
`python -m benchmarks.contenders.keras_imdb DROPOUT STEPS`; the example's dropout is .2 in and between the steps.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch
from keras import layers

from benchmarks.contenders.common import Clock, report

WORDS, LENGTH, BATCH, WARM = 20_000, 80, 32, 3


def main(dropout: float, steps: int) -> None:
    keras.utils.set_random_seed(0)
    torch.set_num_threads(1)
    # Random tokens: speed does not depend on the words.
    rng = np.random.default_rng(0)
    rows = (steps + WARM) * BATCH
    tokens, labels = rng.integers(1, WORDS, (rows, LENGTH)), rng.integers(0, 2, rows)
    model = keras.Sequential(
        [
            layers.Embedding(WORDS, 128),
            layers.LSTM(128, dropout=dropout, recurrent_dropout=dropout),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    warm = WARM * BATCH
    model.fit(tokens[:warm], labels[:warm], batch_size=BATCH, verbose=2)
    clock = Clock()
    model.fit(tokens[warm:], labels[warm:], batch_size=BATCH, verbose=2)
    spent = clock.read()
    report(
        steps=steps,
        ms_per_step=1000 * spent["train_wall_s"] / steps,
        cpu_ms_per_step=1000 * spent["train_cpu_s"] / steps,
    )


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
