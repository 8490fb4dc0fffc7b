"""`python -m benchmarks.stages`: where the CPU-seconds of `pipeline train` go."""

from benchmarks.harness import PYTHON, Contender
from benchmarks.question import Question, main

STAGES = (
    *("imports", "configuration", "data", "steps", "validation", "checkpoints", "test and pictures", "portable model"),
    *("beside (MLflow)", "rest"),
)
QUESTION = Question(
    "stages",
    "Where the time goes",
    "The CPU-seconds of `pipeline train experiment=mnist_fast`, stage by stage. *Imports* are torch's, Lightning's and "
    "Ray's own; *beside* is the thread that imports MLflow and talks to its data base while training goes on.",
    (Contender("pipeline train", [*PYTHON, "benchmarks.contenders.stages", "experiment=mnist_fast", "seed={pair}"]),),
    (),
    shown=STAGES,
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(QUESTION)
