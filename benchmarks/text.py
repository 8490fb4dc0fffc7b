"""`python -m benchmarks.text`: an LSTM's training speed on reviews, beside Keras's example; time to prepare reviews.

`PIPELINE_DATA_MIRROR` names a mirror of the authors' archive; without it the archive is downloaded from them.
"""

from benchmarks.benchmark import Benchmark, Claim, main, ratio
from benchmarks.harness import PYTHON, Contender

LENGTH, BATCH, STEPS = 80, 32, 60
OURS, KERAS, PLAIN, PREPARE = "pipeline, lstm", "keras imdb_lstm", "keras imdb_lstm without dropout", "prepare"
WORDS = (
    *("model=lstm", "data=imdb", f"data.max_tokens={LENGTH}", "data.dropped_words=0", f"data.batch_size={BATCH}"),
    *("model.net.hidden=128", "model.net.bidirectional=false", "model.net.pooling=last", "trainer.max_epochs=3"),
)
CPU = "cpu_ms_per_step"
BENCHMARK = Benchmark(
    "text",
    "An LSTM on reviews",
    f"128 LSTM units over the last {LENGTH} words, batch {BATCH}: a step is {LENGTH * BATCH:,} tokens at most. Keras "
    "is on its torch backend, with its example's input and recurrent dropout of .2, and without. The pipeline has "
    "word dropout, and dropout before the classifier. `prepare` converts IMDB's archive of 56 MB to verified JSON "
    "Lines (`pull_s`), and these to numbered words (`arrays_s`); Keras's reader of text folders needs "
    "TensorFlow.\n\n"
    "The limit is the LSTM kernel. In torch's profile of a step, 83 % of 33 ms is oneDNN's LSTM, forward and "
    "backward, at 73 GFLOPS where matrix products reach 79; 6 % is the optimiser, 5 % the gradient of the word "
    "vectors.",
    (
        Contender(OURS, [*PYTHON, "benchmarks.contenders.steady", "10", *WORDS]),
        Contender(KERAS, [*PYTHON, "benchmarks.contenders.keras_imdb", "0.2", str(STEPS)]),
        Contender(PLAIN, [*PYTHON, "benchmarks.contenders.keras_imdb", "0", str(STEPS)]),
        Contender(PREPARE, [*PYTHON, "benchmarks.contenders.prepare"]),
    ),
    (
        Claim("tokens a CPU-second, relative to Keras's example", ratio(CPU, KERAS, OURS), 3, "{:.1f}x"),
        Claim("the same, Keras without dropout", ratio(CPU, PLAIN, OURS), 3, "{:.1f}x"),
    ),
    shown=(CPU, "ms_per_step", "pull_s", "arrays_s", "peak_mb"),
    warm=("experiment=mlp_xor",),
)

if __name__ == "__main__":
    main(BENCHMARK)
