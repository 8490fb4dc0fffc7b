"""Classify texts with an exported model: python onnx_texts.py MODEL.onnx TEXT..."""

import json
import re
import sys

import numpy as np
import onnxruntime


def read(text: str, steps: dict, vocabulary: dict) -> np.ndarray:
    """(1, T): the numbers of a text's words, as the metadata says that the model takes them."""
    words, dropped = vocabulary["words"], set(vocabulary["words"][: vocabulary["dropped"]])
    number = {word: place for place, word in enumerate(words, start=steps["first_word"])}
    found = re.findall(steps["words"], re.sub(steps["space_for"], " ", text).lower())
    numbers = [number.get(word, steps["unknown"]) for word in found if word not in dropped] or [steps["unknown"]]
    most = steps["max_tokens"]
    return np.array([numbers[:most] if steps["truncation_side"] == "right" else numbers[-most:]], np.int64)


if __name__ == "__main__":
    session = onnxruntime.InferenceSession(sys.argv[1])
    about = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
    for text in sys.argv[2:]:
        numbers = read(text, about["preprocessing.json"], about["vocabulary.json"])
        (probabilities,) = session.run(None, {"input": numbers})
        best = probabilities[0].argmax()
        print(text, about["labels.json"][best], f"{probabilities[0, best]:.1%}", sep="\t")
