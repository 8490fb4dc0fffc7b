"""Classify image files with an exported model: python onnx_images.py MODEL.onnx IMAGE..."""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def read(path: str, steps: dict) -> np.ndarray:
    """(1, C, H, W): a file's pixels, as the metadata says that the model takes them."""
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file) if steps["exif_orientation"] else file.copy()
    if steps["background"] and picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, steps["background"]), picture)
    picture = picture.convert("RGB").convert(steps["mode"])
    size, resampling = (steps["width"], steps["height"]), Image.Resampling[steps["filter"].upper()]
    if steps["resize"] == "cover":
        picture = ImageOps.fit(picture, size, resampling)
    elif steps["resize"] == "stretch":
        picture = picture.resize(size, resampling)
    pixels = np.asarray(picture)
    if steps["invert_light_border"]:
        border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        pixels = 255 - pixels if border.mean() > 127 else pixels
    if steps["resize"] == "digit" and picture.size != size:
        pixels = centred(pixels, steps, resampling)
    return np.atleast_3d(pixels).transpose(2, 0, 1)[None].astype(np.float32) / steps["divide_by"]


def centred(pixels: np.ndarray, steps: dict, resampling: Image.Resampling) -> np.ndarray:
    """A digit, cropped to its ink, scaled to a box and placed by its centre of mass, as MNIST's makers did."""
    rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
    ink = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = (max(1, round(side * steps["box"] / max(ink.shape))) for side in ink.shape)
    small = np.asarray(Image.fromarray(ink).resize((width, height), resampling))
    canvas, edge = np.zeros((steps["height"] + 40, steps["width"] + 40), np.uint8), 20
    middle = [np.average(np.arange(len(mass)), weights=mass) for mass in (small.sum(axis=1), small.sum(axis=0))]
    top, left = (edge + steps["centre_of_mass"] - round(place) for place in middle)
    canvas[top : top + height, left : left + width] = small
    return canvas[edge:-edge, edge:-edge]


if __name__ == "__main__":
    session = onnxruntime.InferenceSession(sys.argv[1])
    about = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
    for path in sys.argv[2:]:
        (probabilities,) = session.run(None, {"input": read(path, about["preprocessing.json"])})
        best = probabilities[0].argmax()
        print(path, about["labels.json"][best], f"{probabilities[0, best]:.1%}", sep="\t")
