"""Shared fixtures: a tiny data set in MNIST's own format, and a project of one's own around it."""

import gc
import gzip
import hashlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.training import cpu
from pipeline.types import Event

cpu.fix_instructions()  # as the command does, before numpy and torch read what it sets
THRESHOLDS = gc.get_threshold()
gc.disable()  # until all tests are collected: imports leave no garbage, and looking for it is a seventh of their time

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402
from PIL import Image  # noqa: E402

# Before any test imports these libraries: no network, no usage reports, no start-up messages.
os.environ.update(
    RAY_USAGE_STATS_ENABLED="0",
    MLFLOW_DISABLE_TELEMETRY="true",
    DO_NOT_TRACK="true",
    DVC_NO_ANALYTICS="1",
    PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # as where this environment is activated
)
# In the background of a shell these are ignored, also by each command that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # commands that tests run would compile the package each time
# No test asserts how long something takes: it would fail on a busy machine.
settings.register_profile("untimed", parent=settings(), deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def settings_of_ray() -> Iterator[None]:
    """Variables that a command has set for Ray in this process do not reach the next test."""
    before = {name: value for name, value in os.environ.items() if name.startswith("RAY_")}
    yield
    for name in [name for name in os.environ if name.startswith("RAY_")]:
        del os.environ[name]
    os.environ.update(before)


def pytest_configure(config: pytest.Config) -> None:
    """Hide GPUs, so that results do not depend on the machine, unless this process runs the tests of GPUs alone.

    A process that has initialised CUDA keeps the devices it saw then, so tests with and without GPUs can't share one.
    """
    if config.option.markexpr != "gpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""


def pytest_collection_finish(session: pytest.Session) -> None:
    """Collect garbage again, but never look through what the imports made: it stays to the end."""
    gc.freeze()
    gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Collect garbage as Python does, whatever a command has set before; skip what needs a GPU where there is none."""
    gc.set_threshold(*THRESHOLDS)
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip(
                f"no CUDA GPU that torch {torch.__version__} can use; `make test-gpu` runs this where there is one"
            )


def damaged_tiff() -> bytes:
    """A TIFF whose offset of pixels has the type of a fraction, for which Pillow raises a TypeError."""
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "TIFF")
    content = bytearray(file.getvalue())
    (directory,) = struct.unpack_from("<I", content, 4)
    place = content.index(struct.pack("<H", 0x0111), directory)
    struct.pack_into("<H", content, place + 2, 5)
    return bytes(content)


def idx_bytes(array: np.ndarray) -> bytes:
    """An unsigned-byte idx file, from the format's description (LeCun)."""
    return struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def striped_digits(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images a net learns in seconds: class k has a bright row at height 2k + 4, on noise."""
    labels = np.arange(count, dtype=np.uint8) % 10
    images = np.random.default_rng(seed).integers(0, 40, (count, 28, 28), dtype=np.uint8)
    images[np.arange(count), 2 * labels.astype(int) + 4] = 255
    return images, labels


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project: the current folder, without data, a mirror or MLflow's settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("PIPELINE_DATA_MIRROR", "MLFLOW_TRACKING_URI", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def tiny_mnist(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project with 64 train and 40 test images as its MNIST, in place and verified; a mirror beside it."""
    write_mnist(project, monkeypatch)
    return project


def write_mnist(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.data import store

    files = []
    for part, count in (("train", 64), ("t10k", 40)):
        images, labels = striped_digits(count, seed=count)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = idx_bytes(array)
            name = f"mnist/{part}-{kind}-ubyte"
            for folder in (project / "data", project / "mirror"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (project / "data" / name).write_bytes(content)
            (project / "mirror" / f"{name}.gz").write_bytes(gzip.compress(content))
            files.append(store.DataFile(name, len(content), hashlib.sha256(content).hexdigest()))
    monkeypatch.setitem(store.FILES, "mnist", tuple(files))


@pytest.fixture
def tiny_imdb(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project with 80 train, 40 test and 20 unlabelled reviews of four films as its IMDB."""
    write_imdb(project, monkeypatch)
    return project


def write_imdb(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.data import store

    rng = np.random.default_rng(0)
    filler = [f"word{number}" for number in range(30)]
    files = []
    for part, count in (("train", 80), ("test", 40), ("unsup", 20)):
        rows = []
        for index in range(count):
            good = index % 2 == 1
            told = [
                *rng.choice(filler, rng.integers(3, 12)),
                *rng.choice(["great", "fine"] if good else ["bad", "dull"], 3),
            ]
            rating = 0 if part == "unsup" else 9 if good else 2
            film = None if part == "unsup" else f"tt{index // 2 % 4:07}"
            rows.append({"id": f"x/{index}", "rating": rating, "film": film, "text": " ".join(told)})
        content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        path = project / f"data/imdb/{part}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        files.append(store.DataFile(f"imdb/{part}.jsonl", len(content), hashlib.sha256(content).hexdigest()))
    monkeypatch.setitem(store.FILES, "imdb", tuple(files))


SMALL_OWN = ["data.classes=2", "data.batch_size=4", "data.val_size=6", "data.test_size=10"]
TINY_TEXT = ["data=imdb", "data.vocabulary_size=60", "data.dropped_words=0", "data.batch_size=8", "data.val_size=16"]
TINY = ["data.batch_size=16", "data.val_size=16", "trainer.max_epochs=2", "trainer.shards=1", "data.augment=null"]


@pytest.fixture
def shapes(project: Path) -> Path:
    """A folder `shapes` of three classes in the project: 12 PNGs each, of many sizes, with a spot of its colour."""
    return write_shapes(project)


def write_shapes(project: Path) -> Path:
    from PIL import Image

    rng = np.random.default_rng(0)
    for label, colour in (("cross", (250, 30, 30)), ("disc", (30, 250, 30)), ("square", (30, 30, 250))):
        (project / "shapes" / label).mkdir(parents=True)
        for number in range(12):
            height, width = rng.integers(40, 90, 2)
            picture = rng.integers(0, 40, (height, width, 3), dtype=np.uint8)
            top, left = rng.integers(0, 16, 2)
            picture[top : top + 24, left : left + 24] = colour
            Image.fromarray(picture).save(project / f"shapes/{label}/{number}.png")
    return project / "shapes"


@pytest.fixture
def own(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A new project with a package `own`, the current folder and that of this process."""
    from pipeline.actions.new import create
    from pipeline.config.source import VARIABLE

    folder = create(project / "own")
    monkeypatch.chdir(folder)
    monkeypatch.setenv(VARIABLE, str(folder))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "own"]:
        del sys.modules[name]


class Quiet:
    """An `Console` that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def print(self, line: str) -> None:
        self.lines.append(line)

    def progress(self, events: list[Event]) -> None:
        self.lines += [f"step {event['step']}" for event in events]

    def download(self, label: str, done: int, total: int) -> None:
        self.lines.append(f"{label} {done}/{total}")

    def predictions(self, done: int, total: int) -> None:
        self.lines.append(f"answers {done}/{total}")


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow data base without runs."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)):
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def mount(*words: str) -> int:
    return subprocess.run(["mount", *words], capture_output=True, check=False).returncode
