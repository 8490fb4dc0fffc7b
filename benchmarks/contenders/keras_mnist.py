"""Keras's simple MNIST convnet on its torch backend: its layers and recipe, stopped by validation.

Source: keras.io/examples/vision/mnist_convnet: batch 128, Adam, at most 15 epochs.
"""

import os
import sys

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
from keras import layers

from benchmarks.contenders.common import GOAL, Clock, mnist, report

EPOCHS, BATCH = 15, 128


class StopAt(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends training after the first epoch whose validation reaches the goal."""

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epochs, self.val = epoch + 1, (logs or {})["val_accuracy"]
        self.model.stop_training = self.val >= GOAL


def main(seed: int, epochs: int = EPOCHS) -> None:
    keras.utils.set_random_seed(seed)
    data = {
        split: (np.expand_dims(images.astype("float32") / 255, -1), keras.utils.to_categorical(labels, 10))
        for split, (images, labels) in mnist().items()
    }
    model = keras.Sequential(
        [
            keras.Input(shape=(28, 28, 1)),
            layers.Conv2D(32, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(64, kernel_size=(3, 3), activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    clock, stop = Clock(), StopAt()
    model.fit(
        *data["train"],
        batch_size=BATCH,
        epochs=epochs,
        validation_data=data["val"],
        callbacks=[stop],
        verbose=2,
    )
    spent = clock.read()
    test = model.evaluate(*data["test"], verbose=0)[1]
    report(epochs=stop.epochs, val=stop.val, test=test, **spent)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
