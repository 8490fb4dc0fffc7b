"""A plain torch loop that predicts a file of pictures (IDX) or reviews (JSON Lines): EXPERIMENT FILE OUT.

The model is that of the experiment's newest run.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

BATCH = 256


def pictures(file: Path, model: Path, net: dict[str, Any]) -> tuple[torch.nn.Module, Iterator[Tensor]]:
    import numpy as np

    from pipeline.models.cnn import CNN

    count, height, width = np.frombuffer(file.read_bytes(), ">u4", 3, 4).tolist()
    pixels = np.frombuffer(file.read_bytes(), np.uint8, offset=16).reshape(count, 1, height, width)
    return CNN(**net), iter((torch.from_numpy(pixels.copy()).float() / 255).split(BATCH))


def reviews(
    file: Path, model: Path, net: dict[str, Any], data: dict[str, Any]
) -> tuple[torch.nn.Module, Iterator[Tensor]]:
    from torch.nn.utils.rnn import pad_sequence

    from pipeline.data.texts.vocabulary import Vocabulary, tokenize
    from pipeline.models.recurrent import Recurrent

    vocabulary = Vocabulary.load(model)

    def batches() -> Iterator[Tensor]:
        with file.open() as lines:
            texts = [json.loads(line)["text"] for line in lines]
        for first in range(0, len(texts), BATCH):
            numbers = [
                vocabulary.encode(tokenize(text))[-data["max_tokens"] :] for text in texts[first : first + BATCH]
            ]
            yield pad_sequence(list(map(torch.tensor, numbers)), batch_first=True)

    return Recurrent(**net), batches()


def main() -> None:
    experiment, *names = sys.argv[1:]
    file, out = map(Path, names)
    model = max(Path("runs").glob(f"{experiment}-*/model"), key=lambda folder: folder.stat().st_mtime)
    config = json.loads((model / "config.json").read_text())
    settings = {key: value for key, value in config["model"]["net"].items() if key != "_target_"}
    net, batches = (
        reviews(file, model, settings, config["data"]) if file.suffix == ".jsonl" else pictures(file, model, settings)
    )
    net.load_state_dict(load_file(model / "model.safetensors"))
    net.eval()
    count = 0
    with torch.inference_mode(), out.open("w") as lines:
        for batch in batches:
            for scores in net(batch).softmax(dim=1).tolist():
                best = max(range(len(scores)), key=scores.__getitem__)
                probabilities = dict(zip(config["labels"], scores, strict=True))
                line = {"label": config["labels"][best], "probability": scores[best], "probabilities": probabilities}
                lines.write(json.dumps(line) + "\n")
                count += 1
    print(f"{count:,} predictions: {out}")


if __name__ == "__main__":
    main()
