"""The trail that training records, and what leaves the envelope of rounding.

That it is the same on any number of workers, and after a resume, is tested with the weights in `test_sharding`.
"""

import hashlib
from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.config import load_config, resolve
from pipeline.runs import checkpoints, trail
from pipeline.runs.trail import Entry
from pipeline.training.trail import weights_digest
from tests.conftest import TINY
from tests.training.test_sharding import KINDS, run

LONG = [*TINY, "data.batch_size=4", "trainer.checkpoint_every_steps=3"]  # 12 steps an epoch


def recorded(root: Path, name: str) -> list[Entry]:
    return trail.read(root / name / "model")


def test_a_digest_is_over_names_types_shapes_and_bytes_in_the_order_of_names() -> None:
    net = nn.Linear(2, 1)
    expected = hashlib.sha256()
    for name, shape in (("bias", "[1]"), ("weight", "[1, 2]")):
        expected.update(f"{name} torch.float32 {shape}\n".encode())
        expected.update(dict(net.named_parameters())[name].detach().numpy().tobytes())
    assert weights_digest(net) == expected.hexdigest()
    with torch.no_grad():
        net.bias[0] = torch.nextafter(net.bias[0], torch.tensor(9.0))
    assert weights_digest(net) != expected.hexdigest()


def test_a_trail_goes_from_the_initial_weights_over_powers_of_ten_and_epochs_to_the_stored_model(
    tiny_mnist: Path,
) -> None:
    result = run(tiny_mnist, "a", 1, *LONG)
    entries = recorded(tiny_mnist, "a")
    assert [(entry.step, entry.epoch) for entry in entries] == [
        *((0, None), (1, None), (10, None), (12, 1), (24, 2), (24, 2))
    ]
    assert entries[-1].weights == checkpoints.weights_digest(checkpoints.verify(result.model_dir))
    assert len({entry.weights for entry in entries}) == 6
    assert all(entry.loss for entry in entries[1:-1])


@pytest.mark.parametrize(("name", "value"), [("model.optimizer.lr", 0.0101), ("model.optimizer.weight_decay", 1.0)])
def test_a_setting_changed_by_little_leaves_the_envelope_of_rounding(name: str, value: float, tiny_mnist: Path) -> None:
    run(tiny_mnist, "a", 1, *LONG, "trainer.max_epochs=1")
    run(tiny_mnist, "b", 1, *LONG, "trainer.max_epochs=1", f"{name}={value}")
    assert trail.compare(recorded(tiny_mnist, "a"), recorded(tiny_mnist, "b")).verdict == "different"


def test_matrix_products_that_round_in_another_way_stay_within_the_envelope(
    tiny_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tiny_mnist, "a", 1, *LONG, "trainer.max_epochs=1")
    linear = nn.functional.linear

    def reversed_sum(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        return linear(x.flip(-1), weight.flip(-1), bias)

    monkeypatch.setattr(nn.functional, "linear", reversed_sum)
    run(tiny_mnist, "b", 1, *LONG, "trainer.max_epochs=1")
    comparison = trail.compare(recorded(tiny_mnist, "a"), recorded(tiny_mnist, "b"))
    assert (comparison.verdict, comparison.first_difference) == ("equal", 1)


OTHERS = {  # than nets of pictures in 32 bits
    "lstm": KINDS["lstm"],
    "gru": KINDS["gru"],
    "language": KINDS["language"],
    "bf16": [*TINY, "trainer.precision=bf16-mixed"],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", OTHERS)
def test_texts_and_mixed_precision_keep_to_the_envelope_with_other_kernels_and_leave_it_with_another_rate(
    kind: str, tiny_mnist: Path, tiny_imdb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*OTHERS[kind], "data.batch_size=4", "trainer.max_epochs=1", "trainer.shards=1"]
    rate = resolve(load_config(*words))["model"]["optimizer"]["lr"]
    run(tiny_mnist, "a", 1, *words)
    run(tiny_mnist, "b", 1, *words, f"model.optimizer.lr={1.01 * rate}")
    assert trail.compare(recorded(tiny_mnist, "a"), recorded(tiny_mnist, "b")).verdict == "different"
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)  # oneDNN
    run(tiny_mnist, "c", 1, *words)
    comparison = trail.compare(recorded(tiny_mnist, "a"), recorded(tiny_mnist, "c"))
    # Only LSTMs of 32 bits have a kernel of oneDNN's here: of the others the bits are the same.
    expected = ("equal", 1) if kind in ("lstm", "language") else ("identical", None)
    assert (comparison.verdict, comparison.first_difference) == expected
