"""A plain torch loop that predicts an IDX file of pictures with the newest run's model: IDX OUT."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from pipeline.models.cnn import CNN

BATCH = 256


def main() -> None:
    pictures, out = map(Path, sys.argv[1:])
    model = max(Path("runs").glob("*/model"), key=lambda folder: folder.stat().st_mtime)
    config = json.loads((model / "config.json").read_text())
    settings = {key: value for key, value in config["model"]["net"].items() if key != "_target_"}
    net = CNN(**settings)
    net.load_state_dict(load_file(model / "model.safetensors"))
    net.eval()
    count, height, width = np.frombuffer(pictures.read_bytes(), ">u4", 3, 4).tolist()
    pixels = np.frombuffer(pictures.read_bytes(), np.uint8, offset=16).reshape(count, 1, height, width)
    images_NCHW = torch.from_numpy(pixels.copy()).float() / 255
    with torch.inference_mode(), out.open("w") as file:
        for batch_BCHW in images_NCHW.split(BATCH):
            for scores in net(batch_BCHW).softmax(dim=1).tolist():
                best = max(range(len(scores)), key=scores.__getitem__)
                probabilities = dict(zip(config["labels"], scores, strict=True))
                line = {"label": config["labels"][best], "probability": scores[best], "probabilities": probabilities}
                file.write(json.dumps(line) + "\n")
    print(f"{count:,} predictions: {out}")


if __name__ == "__main__":
    main()
