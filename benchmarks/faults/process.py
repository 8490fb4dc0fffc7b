"""Faults of one process: kills, signals, disks, numbers, memory, checkpoints."""

from benchmarks.faults.fault import Fault

FAULTS = [
    Fault(1, "`kill -9` of a run in one process", "`pipeline resume` goes on from the newest checkpoint, bit for bit"),
    Fault(5, "SIGTERM", "checkpoint at the next step, exit 75, MLflow run KILLED"),
    Fault(
        6, "Ctrl-C once, twice, three times", "once: checkpoint at the next step; again: at once; exit 130, no orphans"
    ),
    Fault(12, "disk full", "last good checkpoint kept, nothing partial, path and bytes in the error"),
    Fault(13, "read-only target", "refused before training"),
    Fault(20, "NaN or Inf loss", "stops with step, batch, learning rate, gradient norm; never best"),
    Fault(21, "out of memory", "says so, suggests a batch size"),
    Fault(
        22,
        "bad key, type, range, unknown data set",
        "exit 2 in < 2 s, did-you-mean, no traceback",
        ("tests/test_cli.py::test_a_mistake_is_one_line_and_exit_code_2_within_two_seconds",),
    ),
    Fault(24, "two runs at once, same name", "distinct ids; one run twice: an error that names the holder"),
    Fault(26, "poisoned checkpoint", "refused, nothing of it run"),
    Fault(27, "torn checkpoint or manifest", "the newest that verifies is taken"),
    Fault(28, "crash at each step of publishing", "old or new, never mixed"),
    Fault(29, "resume with other code, config, data or workers", "listed; needs `--allow-drift`"),
    Fault(30, "odd locale, odd path, clock jump", "same result"),
]
