"""`python -m benchmarks.gpu`: what training on one GPU repeats bit for bit, and its speed beside a plain torch loop.

Trains the main job's net and an LSTM, in float32 and in bf16 mixed precision, without the internet: images are the
sample of 5,000 that a package holds, texts are drawn here. `--device cpu` tries the script where there is no GPU. Each
figure is printed as it is found; all go to `--out` as JSON.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from pipeline.config import Config, build_data, load_config, resolve
from pipeline.launch.local import standby
from pipeline.launch.local_group import Job
from pipeline.runs import checkpoints, events, interruption
from pipeline.training.fit import build_task, fit
from pipeline.types import Event

LOADS = {
    "cnn": ("data=mnist-5k", "model=cnn", "data.batch_size=128"),
    "lstm": ("data=own_texts", "data.path={texts}", "model=lstm", "data.batch_size=128"),
}
PRECISIONS = ("32-true", "bf16-mixed")
GPU_ONLY = ("lstm", "bf16-mixed")  # oneDNN has no bf16 LSTM for CPUs with AVX2
TEXTS, WORDS, LENGTHS = 4000, 2000, (40, 240)  # drawn: their number, their vocabulary, their words each
DETERMINISM = ("two runs", "stopped and resumed", "two shards, one worker and two")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the trainings of this measurement run, and for how long."""

    folder: Path
    gpus: int
    epochs: int

    def config(self, load: str, precision: str, *overrides: str) -> Config:
        """The resolved configuration of a load."""
        words = [word.format(texts=self.folder / "texts.csv") for word in LOADS[load]]
        config: Config = resolve(
            load_config(*words, f"trainer.precision={precision}", f"trainer.max_epochs={self.epochs}", *overrides)
        )
        config["cluster"].update(gpus_per_worker=self.gpus, workers=1)
        return config

    def run_dir(self) -> Path:
        """The folder of a new run."""
        folder = self.folder / f"run-{len(list(self.folder.glob('run-*')))}"
        folder.mkdir()
        return folder


def trained(place: Place, config: Config, *, workers: int = 1, stop_at: int | None = None) -> tuple[str, Path]:
    """Train; return the digest of the weights and the run's folder. `stop_at` stops at a step, then resumes."""
    run_dir, data_dir = place.run_dir(), place.folder / "data"
    if workers > 1:  # on one card: they add their sums in the memory of the host
        config["cluster"]["workers"] = workers
        with standby(config) as group:
            group.run(Job(config, data_dir, run_dir))
    elif stop_at is None:
        fit(config, data_dir=data_dir, run_dir=run_dir)
    else:
        with events.follow(run_dir, lambda found: _stop_after(run_dir, stop_at, found), every_s=0.02):
            stopped = fit(config, data_dir=data_dir, run_dir=run_dir).stopped
        assert stopped, "the training had ended before it was to be stopped"
        interruption.withdraw(run_dir)
        fit(config, data_dir=data_dir, run_dir=run_dir)
    return checkpoints.weights_digest(checkpoints.verify(run_dir / "model")), run_dir


def _stop_after(run_dir: Path, step: int, found: list[Event]) -> None:
    """Request a stop of a run whose events have reached a step."""
    if any(event["step"] >= step for event in found):
        interruption.request(run_dir)


def samples_per_s(run_dir: Path, samples: int) -> float:
    """Samples a second of a run's epochs after the first, validation included."""
    ends: list[float] = [event["time"] for event in events.read(run_dir)[0] if event.get("metrics")]
    return samples * (len(ends) - 1) / (ends[-1] - ends[0])


def plain_loop(config: Config, place: Place) -> tuple[float, int]:
    """Samples a second of a bare torch loop over the same net and batches after its first epoch; and train's size."""
    device = torch.device("cuda" if place.gpus else "cpu")
    data = build_data(config, place.folder / "data")
    data.setup()
    net: Any = build_task(config).net.to(device).train()
    settings = {key: value for key, value in config["model"]["optimizer"].items() if not key.startswith("_")}
    optimizer = torch.optim.AdamW(net.parameters(), **settings)
    half = config["trainer"]["precision"] == "bf16-mixed"
    began = count = 0.0
    for epoch in range(place.epochs):
        for batch in data.train_dataloader():
            inputs, labels = data.on_after_batch_transfer(tuple(part.to(device) for part in batch), 0)
            with torch.autocast(device.type, torch.bfloat16) if half else nullcontext():
                loss = F.cross_entropy(net(inputs), labels, label_smoothing=config["model"]["label_smoothing"])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            count += len(labels) if epoch else 0
        if place.gpus:
            torch.cuda.synchronize()
        began = began or time.perf_counter()
    return count / (time.perf_counter() - began), len(data.splits["train"][1])


def measure(place: Place) -> Iterator[tuple[str, str, Any]]:
    """Load and precision, what was measured, and the figure or the verdict."""
    for load in LOADS:
        for precision in PRECISIONS:
            if (load, precision) == GPU_ONLY and not place.gpus:
                continue
            name = f"{load}, {precision}"
            first, run_dir = trained(place, place.config(load, precision))
            plain, size = plain_loop(place.config(load, precision), place)
            yield name, "pipeline, samples/s", round(samples_per_s(run_dir, size), 1)
            yield name, "plain torch, samples/s", round(plain, 1)
            yield name, DETERMINISM[0], first == trained(place, place.config(load, precision))[0]
            middle = size // 128 * place.epochs // 2
            yield name, DETERMINISM[1], first == trained(place, place.config(load, precision), stop_at=middle)[0]
            sharded = [
                trained(place, place.config(load, precision, "trainer.shards=2"), workers=workers)[0]
                for workers in (1, 2)
            ]
            yield name, DETERMINISM[2], len(set(sharded)) == 1


def write_texts(path: Path) -> None:
    """Texts of drawn words in two classes, which the first words of the vocabulary tell apart."""
    rng = np.random.default_rng(0)
    rows = ["text,label"]
    for number in range(TEXTS):
        words = rng.zipf(1.3, rng.integers(*LENGTHS)) % WORDS
        rows.append(f"{' '.join(f'w{word}' for word in words)} {'good' if number % 2 else 'bad'},{number % 2}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    chosen = parser.parse_args(words)
    if chosen.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no CUDA GPU here. `--device cpu` tries the script without one.")
    gpu = chosen.device == "cuda"
    found: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if gpu else "cpu",
        "torch": torch.__version__,
        "results": {},
    }
    with TemporaryDirectory() as folder:
        write_texts(Path(folder) / "texts.csv")
        for name, what, figure in measure(Place(Path(folder), int(gpu), chosen.epochs)):
            found["results"].setdefault(name, {})[what] = figure
            print(f"{name}: {what}: {figure}", flush=True)
            chosen.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"results: {chosen.out}")


if __name__ == "__main__":
    main()
