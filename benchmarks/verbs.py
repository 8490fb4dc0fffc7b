"""`python -m benchmarks.verbs`: how long the smallest questions take, beside the libraries' own commands."""

import sys
from pathlib import Path

from benchmarks.harness import PIPELINE, Contender, nothing
from benchmarks.question import Claim, Question, amount, main

HELP, ERROR, SHOW = "pipeline --help", "a config error", "pipeline data show"


def _installed(command: str) -> Contender:
    return Contender(f"{command} --help", [str(Path(sys.executable).with_name(command)), "--help"], nothing)


QUESTION = Question(
    "verbs",
    "Small questions",
    "`pipeline data show` reads and verifies all of `data/`, 207 MB. A config error takes Hydra's import and the "
    "composition that fails; the key that was meant is looked for in what was composed until then.",
    (
        Contender(HELP, [*PIPELINE, "--help"], nothing),
        Contender(ERROR, [*PIPELINE, "train", "trainer.max_epoch=3"], nothing, exits=2),
        Contender(SHOW, [*PIPELINE, "data", "show"], nothing),
        *map(_installed, ("dvc", "ray", "mlflow")),
    ),
    tuple(Claim(name, amount("wall_s", name), 0.6, "{:.2f} s", least=False) for name in (HELP, ERROR, SHOW)),
    shown=("wall_s", "cpu_s"),
    pairs=10,
)

if __name__ == "__main__":
    main(QUESTION)
