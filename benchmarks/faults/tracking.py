"""Faults of the tracking server, its data base and its ports."""

from benchmarks.faults.fault import Fault

FAULTS = [
    Fault(8, "MLflow dead at start, mid-run, flapping", "trains, spools, replays; no point doubled"),
    Fault(9, "MLflow slow, 429, 500, half-open", "step time grows by less than 5 %"),
    Fault(10, "MLflow's SQLite locked", "bounded retry, then the spool"),
    Fault(11, "MLflow's schema old", "names `mlflow db upgrade`, changes nothing"),
    Fault(23, "port in use", "names the owner's process, picks another"),
]
