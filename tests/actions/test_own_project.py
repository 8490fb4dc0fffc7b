"""A project of one's own from its first command to its last: with the wheel alone, in an environment of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
FASHION = Path(os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
GIT = {f"GIT_{who}_{what}": "me@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


class Environment:
    """An environment with the wheel installed, which borrows the libraries of the one that runs the tests."""

    def __init__(self, folder: Path, wheel: Path):
        self.bin = folder / "bin"
        run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "borrowed.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        pip = [sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "install", "--no-deps", "--no-index"]
        run([*pip, "--ignore-installed", str(wheel)])
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PIPELINE_PROJECT")}
        path = os.pathsep.join([str(self.bin), str(Path(sys.executable).parent), kept["PATH"]])
        self.variables = {**kept, **GIT, "PATH": path, "PYTHONSAFEPATH": "1"}

    def __call__(self, command: str, folder: Path) -> str:
        words = command.split()
        return run(
            [str(self.bin / words[0]) if words[0] == "pipeline" else words[0], *words[1:]], folder, self.variables
        )


def run(command: list[str], folder: Path = ROOT, variables: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    if done.returncode and "hatchling" in done.stderr:
        pytest.skip("the wheel can't be built: the build backend hatchling can't be downloaded here")
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return Environment(folder / "environment", wheel)


@pytest.fixture(scope="module")
def project(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project, its one experiment shortened to a second of training; committed."""
    folder = tmp_path_factory.mktemp("own")
    environment("pipeline new digit_finder", folder)
    made = folder / "digit_finder"
    for name, old, new in (
        ("conf/experiment/residual.yaml", "max_epochs: 8", "max_epochs: 1"),
        ("conf/model/residual.yaml", "width: 16", "width: 8"),
        ("params.yaml", "seeds: [0, 1]", "seeds: [0]"),
    ):
        text = (made / name).read_text()
        assert old in text
        (made / name).write_text(text.replace(old, new))
    environment("git add .", made)
    environment("git commit -qm A-new-project", made)
    return made


def last_line(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text.splitlines()[-1])
    return found


def test_a_project_trains_searches_predicts_serves_exports_and_reproduces(
    environment: Environment, project: Path
) -> None:
    trained = environment("pipeline train --json", project)
    assert "ResidualNet" in trained
    assert "WARNING" not in trained
    name = Path(last_line(trained)["run_dir"]).name
    assert last_line(environment(f"pipeline reproduce {name} --json", project))["verdict"] == "identical"
    found = last_line(environment("pipeline sweep model.optimizer.lr=choice(0.003,0.01) --trials 2 --json", project))
    assert len(found["trials"]) == 2
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(project / "blank.png")
    predicted = last_line(environment(f"pipeline predict {name} blank.png --json", project))["predictions"][0]
    exported = last_line(environment(f"pipeline export {name} --json", project))
    session = onnxruntime.InferenceSession(exported["path"])
    (scores,) = session.run(None, {"input": np.zeros((1, 1, 8, 8), np.float32)})
    assert scores.max() == pytest.approx(predicted["probability"], abs=1e-4)
    assert serve(environment, project, name) == predicted["label"]


def serve(environment: Environment, project: Path, name: str) -> str:
    """The class that the served model answers for the blank image."""
    import base64

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(environment.bin / "pipeline"), "serve", name, "--port", str(port)]
    server = subprocess.Popen(command, cwd=project, env=environment.variables, stdout=subprocess.DEVNULL)
    body = json.dumps({"images": [base64.b64encode((project / "blank.png").read_bytes()).decode()]}).encode()
    headers = {"content-type": "application/json"}
    try:
        for _ in range(300):
            assert server.poll() is None
            try:
                request = urllib.request.Request(f"http://127.0.0.1:{port}/predict", body, headers)
                with urllib.request.urlopen(request) as response:
                    return str(json.load(response)["answers"][0]["label"])
            except OSError:
                time.sleep(1)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
    raise AssertionError("no answer")


def test_dvc_repro_records_the_project_and_a_change_of_its_code_makes_the_results_stale(
    environment: Environment, project: Path
) -> None:
    environment("dvc repro", project)
    (recorded,) = json.loads((project / "results/residual.json").read_text())["runs"]
    assert recorded["metrics"]["test/balanced_accuracy"] > 0.2
    assert "balanced accuracy" in (project / "reports/index.html").read_text()
    assert "`residual`" in (project / "README.md").read_text()
    assert not (project / "docs").exists()
    assert "Running stage 'train" not in environment("dvc repro", project)
    nets = project / "digit_finder/nets.py"
    nets.write_text(f"# a comment\n{nets.read_text()}")
    assert "Running stage 'train" not in environment("dvc repro", project)
    nets.write_text(nets.read_text().replace("(features_BCHW + self", "(0.5 * features_BCHW + self"))
    planned = environment("pipeline repro --dry-run", project)
    assert "train@residual-0" in planned
    environment("git checkout digit_finder", project)


def test_fashion_mnist_trains_in_one_command(environment: Environment, project: Path) -> None:
    if not FASHION.is_dir():
        pytest.skip(f"{FASHION} is not here: apt-get install dataset-fashion-mnist")
    words = f"model=residual model.net.blocks=1 data=idx_images data.path={FASHION} trainer.max_epochs=1"
    metrics = last_line(environment(f"pipeline train {words} --json", project))["metrics"]
    assert metrics["test/accuracy"] > 0.65  # of this small net after one epoch; 0.1 is chance
