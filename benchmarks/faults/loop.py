"""`kill -9` of training alone, many times: three kinds of net, in forks of a process that has imported everything."""

import os
import signal
import tempfile
import time
import traceback
from functools import cache
from pathlib import Path
from random import Random

from benchmarks.faults.fault import Fault, Trial
from pipeline.runs import checkpoints, events

EVERY = 5  # steps between checkpoints
WORDS = "great fine kind dear warm good,praise;dull vile cold poor bad foul,blame"
KINDS = {
    "cnn": ["data=mnist-5k", "trainer.max_epochs=2"],
    "gan": ["experiment=lecture_gan", "trainer.max_epochs=1"],
    "lstm": [
        *("data=own_texts", "model=lstm", "data.path=texts.csv", "data.classes=2", "data.val_size=20"),
        *("data.test_size=20", "data.batch_size=8", "model.net.embedding=16", "trainer.max_epochs=3"),
    ],
}


def kill_training_loop(project: Path, rng: Random) -> Trial:
    kind = rng.choice(sorted(KINDS))
    steps, weights = _reference(kind)
    child, target = _train(project, kind), rng.randrange(1, steps)
    while (done := _steps(project)) < target and os.waitpid(child, os.WNOHANG) == (0, 0):
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 0.03))  # anywhere within a step
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    done = _steps(project)
    newest = checkpoints.newest(project / "checkpoints")
    lost = done - (checkpoints.verify(newest)["step"] if newest else 0)
    _, code = os.waitpid(_train(project, kind), 0)
    same = code == 0 and _weights(project) == weights
    note = f"{kind} at step {done} of {steps}" + ("" if same else f"; exit {code}, other weights")
    return Trial(held=same and 0 <= lost <= EVERY, steps_lost=lost, note=note)


@cache
def _reference(kind: str) -> tuple[int, str]:
    """Steps and weights of an undisturbed run."""
    with tempfile.TemporaryDirectory(prefix="faults-reference-") as folder:
        os.waitpid(_train(Path(folder), kind), 0)
        return _steps(Path(folder)), _weights(Path(folder))


def _train(project: Path, kind: str) -> int:
    """Start or resume training in a process of its own; its id."""
    from pipeline.config import load_config, resolve
    from pipeline.training import callbacks
    from pipeline.training.fit import fit

    if child := os.fork():
        return child
    try:
        os.chdir(project)
        out = os.open("out.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(out, 1)
        os.dup2(out, 2)
        praise, blame = (half.partition(",")[::2] for half in WORDS.split(";"))
        rng = Random(0)
        lines = [f"{' '.join(rng.choices(words.split(), k=9))},{label}" for words, label in (praise, blame) * 100]
        Path("texts.csv").write_text("\n".join(["text,label", *lines]))
        callbacks.PROGRESS_EVERY_S = 0  # an event for every step, so that lost steps can be counted
        config = resolve(load_config(*KINDS[kind], f"trainer.checkpoint_every_steps={EVERY}"))
        config["cluster"]["gpus_per_worker"] = 0
        fit(config, data_dir=project / "data", run_dir=project)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def _steps(run_dir: Path) -> int:
    return max((event["step"] for event, _ in events.scan(run_dir) if "total" in event), default=0)


def _weights(run_dir: Path) -> str:
    return checkpoints.weights_digest(checkpoints.verify(run_dir / "model"))


FAULTS = [
    Fault(
        1,
        "`kill -9` of training, of a CNN, an LSTM or a GAN",
        f"resumes from the newest checkpoint: ≤ {EVERY} steps lost (an interval), same weights",
        (
            "tests/training/test_resume.py::test_a_run_killed_at_random_steps_ends_with_the_same_weights_and_metrics",
            "tests/training/test_resume.py::test_no_batch_is_repeated_or_skipped",
        ),
        kill_training_loop,
    )
]
