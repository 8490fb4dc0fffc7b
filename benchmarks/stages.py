"""`python -m benchmarks.stages`: where the CPU-seconds of `pipeline train` go."""

from benchmarks.harness import PYTHON, Contender
from benchmarks.question import Question, main

STAGES = (
    *("imports", "configuration", "data", "steps", "validation", "checkpoints", "test and pictures", "portable model"),
    *("beside (MLflow)", "rest"),
)
BEFORE = "d9811d7"  # the last commit before anything was done about it
WORDS = ("stages", "experiment=mnist_fast", "seed={pair}")
QUESTION = Question(
    "stages",
    "Where the time goes",
    "The CPU-seconds of `pipeline train experiment=mnist_fast`, stage by stage, now and before anything was done about "
    f"them (commit {BEFORE}, with its recipe of then). *Imports* are torch's, Lightning's and Ray's own; *beside* is "
    "the thread that imports MLflow and talks to its data base while training goes on.",
    (
        Contender("before", [*PYTHON, "benchmarks.contenders.past", BEFORE, *WORDS]),
        Contender("pipeline", [*PYTHON, f"benchmarks.contenders.{WORDS[0]}", *WORDS[1:]]),
    ),
    (),
    shown=STAGES,
    parts=True,
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(QUESTION)
