"""`pipeline repro`: what `dvc repro` leaves, several stages at once, and nothing lost when it is stopped or killed."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.graph import costs, lockfile

pytestmark = pytest.mark.skipif(not shutil.which("flock"), reason="needs util-linux: flock")
TOOL = Path(__file__).parents[2]
# Twelve stages with diamonds: source -> left, right (four each) -> pair (two) -> all.
MIDDLE = [f"{side}-{number}" for side in ("left", "right") for number in range(4)]
SECONDS = 0.3


def stage(name: str, deps: list[str], more: str = "") -> dict[str, Any]:
    """Describe a stage that notes its start and its end, waits, and writes a digest of its dependencies' text."""
    read = f"cat {' '.join(deps)} | md5sum > {name}.txt" if deps else f"echo {name} > {name}.txt"
    mark = f"{name} $$ $(date +%s.%N)"
    guard = f"exec 9> {name}.guard; flock -n 9 || echo {name} >> overlaps"  # held until the command's last process ends
    parts = [guard, f"echo start {mark} >> notes", f"sleep {SECONDS}", more, read, f"echo end {mark} >> notes"]
    return {"cmd": "; ".join(part for part in parts if part), "deps": ["params", *deps], "outs": [f"{name}.txt"]}


def graph(broken: str = "") -> dict[str, Any]:
    more = {broken: "exit 3"}
    stages = {"all": stage("all", ["pair-0.txt", "pair-1.txt"], more.get("all", ""))}
    for number in range(2):
        deps = [f"{side}-{2 * number + k}.txt" for side in ("left", "right") for k in range(2)]
        stages[f"pair-{number}"] = stage(f"pair-{number}", deps)
    for name in MIDDLE:
        stages[name] = stage(name, ["source.txt"], more.get(name, ""))
    stages["source"] = stage("source", [])
    return {"stages": stages}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC project with twelve stages, none of which has run."""
    root = tmp_path_factory.mktemp("graph")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    dvc("init", "-q", root=root)
    (root / "dvc.yaml").write_text(yaml.safe_dump(graph(), sort_keys=False, width=10**6))
    (root / "params").write_text("1\n")
    return root


@pytest.fixture
def toy(empty: Path, tmp_path: Path) -> Path:
    return shutil.copytree(empty, tmp_path / "toy")


@pytest.fixture(scope="module")
def serial(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same project after `dvc repro`."""
    root = shutil.copytree(empty, tmp_path_factory.mktemp("serial") / "toy")
    dvc("repro", "-q", root=root)
    return root


def dvc(*words: str, root: Path) -> str:
    done = subprocess.run([sys.executable, "-m", "dvc", *words], cwd=root, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout + done.stderr
    return done.stdout


def start(*words: str, root: Path) -> "subprocess.Popen[str]":
    command, pipe = [sys.executable, "-m", "pipeline", "repro", "--json", *words], subprocess.PIPE
    env = {**os.environ, "PYTHONPATH": str(TOOL)}
    return subprocess.Popen(command, cwd=root, env=env, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def repro(*words: str, root: Path, code: int = 0) -> dict[str, Any]:
    """Run to the end. Returns: what it prints as JSON."""
    process = start(*words, root=root)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, out + err
    printed: dict[str, Any] = json.loads(out.splitlines()[-1])
    return printed


def states(printed: dict[str, Any]) -> dict[str, str]:
    return {name: stage["state"] for name, stage in printed["stages"].items()}


def notes(root: Path) -> list[tuple[str, str, str, float]]:
    """start or end, stage, process, when: of every command that ran, in this order."""
    lines = (root / "notes").read_text().splitlines() if (root / "notes").is_file() else []
    return [(what, name, pid, float(when)) for what, name, pid, when in map(str.split, lines)]


def ended(root: Path) -> list[str]:
    return sorted(name for what, name, *_ in notes(root) if what == "end")


def overlaps(root: Path) -> str:
    """The stages of which two commands ran at the same time, by their own locks."""
    return (root / "overlaps").read_text() if (root / "overlaps").is_file() else ""


def wait_for(condition: Any, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def cached(root: Path) -> set[str]:
    """Names and content of the files in DVC's cache, the run cache among them."""
    files = [file for file in (root / ".dvc/cache").rglob("*") if file.is_file()]
    return {str(file.relative_to(root)) + file.read_text() for file in files}


def test_it_leaves_what_dvc_repro_leaves(toy: Path, serial: Path) -> None:
    printed = repro("--jobs", "3", root=toy)
    assert set(states(printed).values()) == {"done"}
    assert (toy / "dvc.lock").read_bytes() == (serial / "dvc.lock").read_bytes()
    assert cached(toy) == cached(serial)
    assert {*(toy / ".gitignore").read_text().split()} == {*(serial / ".gitignore").read_text().split()}
    assert "up to date" in dvc("status", root=toy)
    assert repro(root=toy)["counts"] == {"unchanged": 12}
    assert len(ended(toy)) == 12


def test_stages_run_together_and_never_before_what_they_need(toy: Path) -> None:
    repro("--jobs", "3", root=toy)
    running = most = 0
    done: set[str] = set()
    for what, name, *_ in notes(toy):
        running += 1 if what == "start" else -1
        most = max(most, running)
        if what == "end":
            done.add(name)
        else:
            needed = graph()["stages"][name]["deps"][1:]
            assert {file.removesuffix(".txt") for file in needed} <= done
    assert 2 <= most <= 3


def test_it_may_be_mixed_with_dvc_repro(toy: Path, serial: Path) -> None:
    dvc("repro", "-q", "pair-0", root=toy)
    printed = repro("--jobs", "2", root=toy)
    assert printed["counts"]["unchanged"] == 6
    assert yaml.safe_load((toy / "dvc.lock").read_text()) == yaml.safe_load((serial / "dvc.lock").read_text())
    (toy / "left-0.txt").unlink()
    assert states(repro("left-0", root=toy)) == {"left-0": "from cache"}
    dvc("repro", "-q", root=toy)
    assert len(ended(toy)) == 12


def test_a_failure_stops_what_depends_on_it_and_with_keep_going_nothing_else(toy: Path) -> None:
    (toy / "dvc.yaml").write_text(yaml.safe_dump(graph("left-0"), sort_keys=False, width=10**6))
    found = repro("--keep-going", "--jobs", "2", root=toy, code=1)
    failed = found["stages"]["left-0"]
    assert states(found) == {
        **dict.fromkeys(["source", *MIDDLE, "pair-1"], "done"),
        "left-0": "failed",
        "pair-0": "skipped",
        "all": "skipped",
    }
    assert "exited with 3" in failed["why"]
    assert "exited with 3" in Path(failed["log"]).read_text()
    assert "left-0" not in yaml.safe_load((toy / "dvc.lock").read_text())["stages"]


def test_without_keep_going_nothing_starts_after_a_failure(toy: Path) -> None:
    (toy / "dvc.yaml").write_text(yaml.safe_dump(graph("left-0"), sort_keys=False, width=10**6))
    found = states(repro("--jobs", "1", root=toy, code=1))
    after = [name for what, name, *_ in notes(toy) if what == "start"]
    assert after[-1] == "left-0"
    assert found["right-3"] == "waiting"


def test_a_stage_that_dvc_repro_runs_is_waited_for_and_not_repeated(toy: Path) -> None:
    text = (toy / "dvc.yaml").read_text().replace(f"sleep {SECONDS};", "sleep 4;")
    (toy / "dvc.yaml").write_text(text)
    other = subprocess.Popen([sys.executable, "-m", "dvc", "repro", "-q", "source"], cwd=toy)
    wait_for(lambda: len(notes(toy)) == 1)
    printed = repro("source", root=toy)
    assert not other.wait(60)
    assert states(printed) == {"source": "unchanged"}
    assert ended(toy) == ["source"]


def test_a_lock_file_of_another_layout_keeps_all_entries(toy: Path, serial: Path) -> None:
    shutil.rmtree(toy)
    shutil.copytree(serial, toy)
    content = yaml.safe_load((toy / "dvc.lock").read_text())
    (toy / "dvc.lock").write_text(yaml.safe_dump(content, default_flow_style=True))
    (toy / "params").write_text("2\n")
    assert states(repro("left-3", root=toy)) == {"source": "done", "left-3": "done"}
    after = yaml.safe_load((toy / "dvc.lock").read_text())
    changed = {name for name, entry in after["stages"].items() if entry != content["stages"][name]}
    assert changed == {"source", "left-3"}
    assert after["stages"].keys() == content["stages"].keys()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 75)])
def test_a_signal_stops_the_stages_and_the_next_call_continues(
    toy: Path, serial: Path, number: signal.Signals, code: int
) -> None:
    """The commands get SIGTERM: this one notes it, as a training stores its state."""
    text = (
        (toy / "dvc.yaml")
        .read_text()
        .replace(f"sleep {SECONDS};", "trap 'echo asked >> asked; exit 75' TERM; sleep 9;")
    )
    (toy / "dvc.yaml").write_text(text)
    process = start("--jobs", "2", "left-0", "left-1", root=toy)
    wait_for(lambda: len(notes(toy)) == 1)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, out + err
    assert states(json.loads(out.splitlines()[-1]))["source"] == "stopped"
    assert (toy / "asked").read_text() == "asked\n"
    shutil.copy(serial / "dvc.yaml", toy)
    repro(root=toy)
    assert (toy / "dvc.lock").read_bytes() == (serial / "dvc.lock").read_bytes()


def test_two_at_once_share_the_work(toy: Path, serial: Path) -> None:
    both = [start("--jobs", "2", root=toy) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert not process.returncode, out + err
    assert not overlaps(toy)
    assert ended(toy) == sorted(graph()["stages"])
    assert yaml.safe_load((toy / "dvc.lock").read_text()) == yaml.safe_load((serial / "dvc.lock").read_text())


def _alive(root: Path) -> list[str]:
    """The processes that work in a project."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cwd").readlink() == root:
                found.append(folder.name)
        except OSError:
            continue
    return found


def test_killed_at_random_moments_it_continues_without_repeating_what_is_recorded(toy: Path, serial: Path) -> None:
    kept: list[tuple[set[str], int]] = []  # at each kill: the recorded stages, and the number of notes until then
    for _ in range(4):
        process = start("--jobs", "2", root=toy)
        time.sleep(random.uniform(1, 3.5))
        recorded = {*lockfile.entries(toy / "dvc.lock")}
        kept.append((recorded, len(notes(toy))))
        process.kill()
        process.communicate()
        assert recorded <= {*lockfile.entries(toy / "dvc.lock")}
    repro("--jobs", "2", root=toy)
    assert not overlaps(toy)
    assert yaml.safe_load((toy / "dvc.lock").read_text()) == yaml.safe_load((serial / "dvc.lock").read_text())
    for recorded, until in kept:
        assert recorded.isdisjoint(name for what, name, *_ in notes(toy)[until:] if what == "start")


def test_a_command_that_outlives_its_worker_keeps_the_stage_from_running_twice(toy: Path) -> None:
    text = (toy / "dvc.yaml").read_text().replace(f"sleep {SECONDS};", "trap '' TERM; sleep 2;")
    (toy / "dvc.yaml").write_text(text)
    process = start("source", root=toy)
    wait_for(lambda: len(notes(toy)) == 1)
    for pid in _alive(toy):
        if (Path("/proc") / pid / "cmdline").read_bytes().startswith(os.fsencode(sys.executable)):
            os.kill(int(pid), signal.SIGKILL)
    process.communicate()
    repro("source", root=toy)
    assert [what for what, *_ in notes(toy)] == ["start", "end"] * 2


def test_a_dry_run_changes_nothing_and_names_the_longest_path(toy: Path) -> None:
    printed = repro("--dry-run", root=toy)
    assert set(printed["stages"]) == set(graph()["stages"])
    assert [name.partition("-")[0] for name in printed["longest_path"]] == ["source", "left", "pair", "all"]
    assert not notes(toy)
    assert not (toy / "dvc.lock").exists()


@pytest.fixture
def clone(toy: Path, serial: Path) -> Path:
    """The project as another machine has it that shares no cache: every stage is recorded, no output is there."""
    shutil.copy(serial / "dvc.lock", toy)
    return toy


def test_in_a_new_clone_nothing_that_is_recorded_runs_if_outputs_may_be_missing(clone: Path) -> None:
    assert set(repro("--dry-run", root=clone)["stages"]) == set(graph()["stages"])
    assert not repro("--dry-run", "--allow-missing", root=clone)["stages"]
    assert repro("--allow-missing", root=clone)["counts"] == {"unchanged": 12}
    assert not notes(clone)


def test_what_a_stage_that_runs_reads_is_made_again_and_nothing_else(clone: Path, serial: Path) -> None:
    text = (clone / "dvc.yaml").read_text()
    (clone / "dvc.yaml").write_text(text.replace("echo start pair-0", "echo start  pair-0"))
    printed = repro("pair-0", "pair-1", "--allow-missing", root=clone)
    ran = {name for name, state in states(printed).items() if state != "unchanged"}
    assert ran == {"source", "left-0", "left-1", "right-0", "right-1", "pair-0"}
    assert (clone / "pair-0.txt").read_text() == (serial / "pair-0.txt").read_text()


def test_a_stage_is_run_if_only_its_files_tell_whether_what_depends_on_them_is_out_of_date(clone: Path) -> None:
    make = "mkdir -p parts; cp params parts/one; echo 2 > parts/two"
    stages = {
        "parts": {"cmd": make, "deps": ["params"], "outs": ["parts"]},
        "two": {"cmd": "cp parts/two two", "deps": ["parts/two"], "outs": ["two"]},
    }
    (clone / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    repro(root=clone)
    (clone / "two").unlink()
    shutil.rmtree(clone / "parts")
    shutil.rmtree(clone / ".dvc/cache")
    assert states(repro("--allow-missing", root=clone)) == {"parts": "done", "two": "unchanged"}
    assert not (clone / "two").exists()


def test_an_unknown_target_is_refused_in_words(toy: Path) -> None:
    process = start("nothing", root=toy)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "nothing" in err
    assert "Traceback" not in err


NEEDS = {"a": [], "b": [], "c": ["a"], "d": ["a", "b"], "e": ["c", "d"]}
COST = {"a": 3.0, "b": 1.0, "c": 1.0, "d": 4.0, "e": 2.0}


def test_the_longest_path_and_the_time_on_so_many_nodes_are_those_worked_out_by_hand() -> None:
    assert costs.longest_path(NEEDS, COST) == ["a", "d", "e"]
    assert costs.ranks(NEEDS, COST) == {"a": 9, "b": 7, "c": 3, "d": 6, "e": 2}
    assert [costs.simulate(NEEDS, COST, nodes) for nodes in (1, 2, 10)] == [11, 9, 9]


def test_a_run_costs_what_its_result_records_without_the_time_that_others_had_the_core(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    runs = [
        {"seed": 0, "cpu_s": 80.0, "wall_s": 100.0, "seconds": 130.0},
        {"seed": 1, "cpu_s": 900.0, "wall_s": 950.0, "seconds": 300.0},  # resumed: `seconds` is of the last part
    ]
    (tmp_path / "results/x.json").write_text(json.dumps({"experiment": "x", "runs": runs}))
    found = costs.costs(["train@x-0", "train@x-1", "train@x-2", "collect@x"], tmp_path)
    assert found == {"train@x-0": 110, "train@x-1": 900, "train@x-2": costs.UNKNOWN_S, "collect@x": 5}
