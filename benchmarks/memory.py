"""`python -m benchmarks.memory`: memory and time to prepare one's own texts, as they grow a hundredfold."""

from benchmarks.harness import PYTHON, Contender
from benchmarks.question import Claim, Question, main, ratio

NAMES = {megabytes: f"pipeline, {megabytes} MB of texts" for megabytes in (1, 10, 100)}
QUESTION = Question(
    "memory",
    "Memory as texts grow",
    "A CSV file of made-up texts (words by Zipf's law), through `data=own_texts` to numbered words and 200 batches. "
    "The texts and their numbers are held in memory, which limits it to what fits there.",
    tuple(Contender(name, [*PYTHON, "benchmarks.contenders.texts", str(size)]) for size, name in NAMES.items()),
    (
        Claim("memory, x100 against x1", ratio("peak_mb", NAMES[100], NAMES[1]), 1.1, least=False),
        Claim("time, x100 against x10", ratio("prepare_cpu_s", NAMES[100], NAMES[10]), 10, "{:.1f}x", least=False),
    ),
    shown=("peak_mb", "prepare_cpu_s"),
)

if __name__ == "__main__":
    main(QUESTION)
