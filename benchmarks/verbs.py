"""`python -m benchmarks.verbs`: how long the smallest questions take, beside the libraries' own commands."""

import shutil

from benchmarks.harness import PIPELINE, Contender, nothing
from benchmarks.question import Claim, Question, amount, main

HELP, ERROR, SHOW = "pipeline --help", "a config error", "pipeline data show"


def _installed(command: str) -> Contender:
    return Contender(f"{command} --help", [shutil.which(command) or command, "--help"], nothing)


QUESTION = Question(
    "verbs",
    "Small questions",
    "`pipeline data show` reads and verifies all of `data/`. A config error takes Hydra's import and two compositions "
    "of the configuration: the one that fails, and one without overrides to find the key that was meant.",
    (
        Contender(HELP, [*PIPELINE, "--help"], nothing),
        Contender(ERROR, [*PIPELINE, "train", "trainer.max_epoch=3"], nothing, exits=2),
        Contender(SHOW, [*PIPELINE, "data", "show"], nothing),
        *map(_installed, ("dvc", "ray", "mlflow")),
    ),
    tuple(Claim(name, amount("wall_s", name), 0.6, "{:.2f} s", least=False) for name in (HELP, ERROR, SHOW)),
    shown=("wall_s", "cpu_s", "peak_mb"),
    pairs=10,
)

if __name__ == "__main__":
    main(QUESTION)
