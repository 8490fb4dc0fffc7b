"""`python -m benchmarks.text`: an LSTM's speed on reviews, against Keras's example; and how reviews become arrays.

Set `PIPELINE_DATA_MIRROR` to what holds the authors' archive, or it comes from their address.
"""

from benchmarks.harness import PYTHON, Contender
from benchmarks.question import Claim, Question, main, ratio

LENGTH, BATCH, STEPS = 80, 32, 60
OURS, KERAS, PLAIN, PREPARE = "pipeline, lstm", "keras imdb_lstm", "keras imdb_lstm without dropout", "prepare"
WORDS = (
    *("model=lstm", "data=imdb", f"data.max_tokens={LENGTH}", "data.dropped_words=0", f"data.batch_size={BATCH}"),
    *("model.net.hidden=128", "model.net.bidirectional=false", "model.net.pooling=last", "trainer.max_epochs=3"),
)
CPU = "cpu_ms_per_step"
QUESTION = Question(
    "text",
    "An LSTM on reviews",
    f"128 LSTM units over the last {LENGTH} words, batch {BATCH}: a step is {LENGTH * BATCH:,} tokens at most. Keras "
    "on its torch backend, with its example's dropout of .2 in and between the time steps, and without; ours with word "
    "dropout and dropout before the classes. `prepare`: IMDB's archive of 56 MB to verified JSON Lines (`pull_s`), "
    "those to numbered words (`arrays_s`); Keras's own reader of text folders needs TensorFlow.\n\nWhat limits ours, "
    "in torch's profile of a step: 83 % of 33 ms is oneDNN's LSTM, forwards and backwards, at 73 GFLOPS where products "
    "of matrices reach 79; 6 % is the optimiser, 5 % the word vectors' gradient.",
    (
        Contender(OURS, [*PYTHON, "benchmarks.contenders.steady", "10", *WORDS]),
        Contender(KERAS, [*PYTHON, "benchmarks.contenders.keras_imdb", "0.2", str(STEPS)]),
        Contender(PLAIN, [*PYTHON, "benchmarks.contenders.keras_imdb", "0", str(STEPS)]),
        Contender(PREPARE, [*PYTHON, "benchmarks.contenders.prepare"]),
    ),
    (
        Claim("tokens a CPU-second, of Keras's example", ratio(CPU, KERAS, OURS), 3, "{:.1f}x"),
        Claim("the same without its dropout", ratio(CPU, PLAIN, OURS), 3, "{:.1f}x"),
    ),
    shown=(CPU, "ms_per_step", "pull_s", "arrays_s", "peak_mb"),
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(QUESTION)
