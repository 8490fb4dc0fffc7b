"""An exported model explains its inputs: the documents' plain onnxruntime predicts as the model does, from files on."""

import json
import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image

from pipeline.actions.export import onnx_example
from pipeline.config import build, build_data, load_config, resolve
from pipeline.evaluation.calibration import Calibration
from pipeline.inference.inputs import InputChunk
from pipeline.inference.predictor import Classifier, ImageClassifier
from pipeline.inference.preprocessing import preprocessing
from pipeline.inference.requests import predict_chunk
from pipeline.inference.text_classifier import TextClassifier
from pipeline.types import Manifest

SNIPPETS = Path(__file__).parents[2] / "docs/how-to"
UNUSED = Manifest(config_digest="", data_digest="", files={})


def untrained(kind: type[Classifier], *overrides: str) -> Classifier:
    """A calibrated classifier with random weights."""
    torch.manual_seed(0)
    config = resolve(load_config(*overrides))
    data = build_data(config, Path("data"))
    data.setup()
    net = build(config["model"]["net"]).eval()
    calibration = Calibration(0.25, np.array([0.5]))  # which makes probabilities differ more
    return kind(net, config | {"labels": list(data.labels)}, UNUSED, data.input_vocabulary(), calibration)


def check(predictor: Classifier, snippet: str, chunk: InputChunk) -> dict[str, Any]:
    """The metadata, after the model and the snippet have predicted each input equally."""
    assert onnx_example(predictor, build_data(predictor.config, Path("data")), Path("model.onnx"))
    session = onnxruntime.InferenceSession("model.onnx")
    about = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
    steps = [about[name] for name in ("preprocessing.json", "vocabulary.json") if name in about]
    read = runpy.run_path(str(SNIPPETS / snippet))["read"]
    predictions: Sequence[Any] = predict_chunk(predictor, chunk)
    for item, prediction in zip(chunk.items, predictions, strict=True):
        ((*scores,),) = session.run(None, {"input": read(item, *steps)})[0]
        assert about["labels.json"][int(np.argmax(scores))] == prediction["label"]
        assert scores == pytest.approx(list(prediction["probabilities"].values()), abs=1e-5)
    assert len({prediction["probability"] for prediction in predictions}) > 1
    return about


def pictures(folder: Path) -> tuple[str, ...]:
    """Files of several sizes and modes: rotated by EXIF, transparent, of a palette, grey, with a light border."""
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((61, 83), Image.Resampling.BICUBIC)
    rotated = Image.Exif()
    rotated[0x0112] = 6
    picture.save(folder / "rotated.jpg", exif=rotated)
    transparent = picture.convert("RGBA")
    transparent.putalpha(Image.fromarray(noise[:, :, 0]).resize(picture.size))
    transparent.save(folder / "transparent.png")
    picture.quantize(7).save(folder / "palette.gif")
    picture.convert("L").save(folder / "grey.png")
    ink = np.full((90, 70), 255, np.uint8)
    ink[20:60, 30:40] = 20
    Image.fromarray(ink).save(folder / "ink.png")
    return tuple(sorted(str(path) for path in folder.iterdir()))


@pytest.mark.parametrize("shape", ["[3,24,32]", "[1,20,20]"])
def test_images_of_class_folders_are_predicted_by_plain_onnxruntime(shape: str, shapes: Path) -> None:
    model = untrained(
        ImageClassifier,
        "model=mlp",
        "model.net.hidden=[5]",
        "data=image_folder",
        "data.path=shapes",
        f"data.in_shape={shape}",
    )
    steps = check(model, "onnx_images.py", InputChunk("files", pictures(shapes / "../odd")))["preprocessing.json"]
    assert (steps["resize"], steps["filter"], steps["exif_orientation"]) == ("cover", "bicubic", True)


@pytest.mark.parametrize(("data", "resize"), [("mnist", "digit"), ("digits", "stretch")])
def test_digits_are_predicted_by_plain_onnxruntime(data: str, resize: str, tiny_mnist: Path) -> None:
    words = [f"data={data}", "model=mlp", "model.net.hidden=[5]", "data.val_size=16"]
    images = pictures(tiny_mnist / "odd")
    Image.fromarray(np.eye(28, dtype=np.uint8) * 250).save("odd/diagonal.png")
    about = check(
        untrained(ImageClassifier, *words), "onnx_images.py", InputChunk("files", (*images, "odd/diagonal.png"))
    )
    assert about["preprocessing.json"]["resize"] == resize


@pytest.mark.parametrize("side", ["left", "right"])
def test_texts_are_predicted_by_plain_onnxruntime(side: str, project: Path) -> None:
    rows = [f"the {word} film number {n} isn't <br />{word}!,{word}" for n in range(30) for word in ("good", "bad")]
    (project / "films.csv").write_text("\n".join(["text,label", *rows]))
    words = ["model=gru", "model.net.hidden=3", "model.net.embedding=4", f"data.truncation_side={side}"]
    words += ["data=own_texts", "data.path=films.csv", "data.max_tokens=4", "data.dropped_words=1"]
    texts = (*(row.partition(",")[0] for row in rows[:4]), "Süß & BAD? 'number' isn’t", "İ <b>the</b>", "the", "")
    about = check(untrained(TextClassifier, *words), "onnx_texts.py", InputChunk("texts", texts))
    assert about["preprocessing.json"]["max_tokens"] == 4
    assert about["vocabulary.json"]["dropped"] == 1


def test_inputs_of_other_models_are_described_too(project: Path) -> None:
    plane = resolve(load_config("data=plane", "model=mlp"))
    words = resolve(load_config("experiment=piglatin_seq2seq"))
    assert preprocessing(plane, "points", build_data(plane, Path("data"))) == {"input": "points", "numbers": 2}
    steps = preprocessing(words, "sentences", build_data(words, Path("data")))
    assert steps["symbols"] == {letter: 2 + place for place, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}
