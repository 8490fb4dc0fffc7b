"""Every file of infra/ and .github/ satisfies its tool's own checker, and each checker finds a mistake."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from pipeline.launch.cluster import HEALTH
from tests.infra.checkers import run

ROOT = Path(__file__).parents[2]
# The file, a mistake (what is written, what stands there instead), the checker's command.
CHECKS: dict[str, tuple[str, str, str, list[str]]] = {
    "hadolint": ("infra/Dockerfile", "WORKDIR /work", "WORKDIR work", ["hadolint"]),
    "compose-lint": ("infra/compose.yaml", "security_opt:", "privileged: true\n  security_opt:", ["compose-lint"]),
    "zizmor": (".github/workflows/ci.yml", "@de0fac2e4500dabe0009e67214ff5f5447ce83dd", "@v6", ["zizmor", "--offline"]),
    "actionlint": (".github/workflows/ci.yml", "runs-on:", "run-on:", ["actionlint"]),
    "zizmor, nightly": (
        ".github/workflows/slow.yml",
        "@a309ff8b426b58ec0e2a45f0f869d46889d02405",
        "@v6",
        ["zizmor", "--offline"],
    ),
    "actionlint, nightly": (".github/workflows/slow.yml", "runs-on:", "run-on:", ["actionlint"]),
    "zizmor, images": (
        ".github/workflows/images.yml",
        "@ed142fd0673e97e23eac54620cfb913e5ce36c25",
        "@master",
        ["zizmor", "--offline"],
    ),
    "actionlint, images": (
        ".github/workflows/images.yml",
        "permissions: {contents: read, packages: write}",
        "permissions: {content: read, packages: write}",
        ["actionlint"],
    ),
    "shellcheck": ("infra/slurm/train.sbatch", 'exit "$code"', "exit $code $undefined", ["shellcheck"]),
}


@pytest.mark.parametrize("checker", CHECKS)
def test_a_checker_accepts_the_file_and_refuses_a_mistake_in_it(checker: str, tmp_path: Path) -> None:
    file, right, wrong, command = CHECKS[checker]
    good = run(*command, ROOT / file)
    assert good.returncode == 0, good.stdout + good.stderr
    text = (ROOT / file).read_text()
    assert right in text
    broken = tmp_path / file
    broken.parent.mkdir(parents=True)
    broken.write_text(text.replace(right, wrong, 1))
    assert run(*command, broken).returncode != 0


@pytest.mark.parametrize(
    ("file", "schema", "right", "wrong"),
    [
        ("infra/compose.yaml", "vendor.compose-spec", "healthcheck:", "healthchek:"),
        (".github/dependabot.yml", "vendor.dependabot", "interval: weekly", "interval: sometimes"),
    ],
)
def test_a_file_satisfies_its_public_schema_and_not_with_a_mistake(
    file: str, schema: str, right: str, wrong: str
) -> None:
    schemas = pytest.importorskip("check_jsonschema.builtin_schemas", reason="needs infra/requirements.lock")
    from jsonschema.validators import validator_for

    content = schemas.get_builtin_schema(schema)
    validator = validator_for(content)(content)
    text = (ROOT / file).read_text()
    assert right in text
    assert validator.is_valid(yaml.safe_load(text))
    assert not validator.is_valid(yaml.safe_load(text.replace(right, wrong)))


def accepted(text: str) -> bool:
    from jsonschema import ValidationError
    from ray.autoscaler._private.util import prepare_config, validate_config

    try:
        validate_config(prepare_config(yaml.safe_load(text)))
    except ValidationError:
        return False
    return True


@pytest.mark.skipif(find_spec("jsonschema") is None, reason="Ray checks these files with jsonschema: ray[default]")
@pytest.mark.parametrize("cloud", ["aws", "gcp", "onprem"])
def test_rays_own_check_accepts_a_cluster_file_and_refuses_a_mistake_in_it(cloud: str) -> None:
    text = (ROOT / f"infra/autoscaler/{cloud}.yaml").read_text()
    assert accepted(text)
    assert not accepted(text.replace("head_start_ray_commands:", "head_start_commands:"))
    assert "RAY_AUTH_MODE=token" in text


HEAD_SETTINGS = {name: value for name, value in HEALTH.items() if name.startswith("RAY_health_check")}
CLUSTERS = ("compose.yaml", "slurm/train.sbatch", *(f"autoscaler/{cloud}.yaml" for cloud in ("aws", "gcp", "onprem")))


def lacking(settings: dict[str, str], text: str) -> list[str]:
    """The settings that a file does not have: NAME=VALUE or NAME: "VALUE"."""
    return [name for name, value in settings.items() if not re.search(rf'{name}(=|: "){value}\b', text)]


@pytest.mark.parametrize("file", CLUSTERS)
def test_every_head_has_the_health_settings_of_the_documents(file: str) -> None:
    text = (ROOT / "infra" / file).read_text()
    assert lacking(HEAD_SETTINGS, text) == []
    assert lacking(HEAD_SETTINGS, text.replace("period_ms", "period_s")) == ["RAY_health_check_period_ms"]


def test_the_documents_name_these_health_settings() -> None:
    assert lacking(HEAD_SETTINGS, (ROOT / "docs/how-to/cluster.md").read_text()) == []


@pytest.mark.parametrize("cloud", ["aws", "gcp", "onprem"])
def test_data_and_runs_of_a_head_outlive_its_machine_and_its_container(cloud: str) -> None:
    file = yaml.safe_load((ROOT / f"infra/autoscaler/{cloud}.yaml").read_text())
    options = [*file["docker"]["run_options"], *file["docker"].get("head_run_options", [])]
    [volume] = [option for option in options if option.startswith("--volume=")]
    assert volume.endswith(":/work")  # the image's folder
    if cloud != "onprem":  # whose head is a machine that stays
        assert any("mount" in command and "/work" in command for command in file["initialization_commands"])


def test_slurm_gives_ray_the_gpus_of_the_job() -> None:
    assert '--num-gpus="${SLURM_GPUS_ON_NODE:-0}"' in (ROOT / "infra/slurm/train.sbatch").read_text()


def unpinned(text: str) -> list[str]:
    """Images of others that a file names without a digest."""
    named = re.findall(r"(?m)^(?:FROM| *(?:- )?image:) +(\S+)", text)
    return [image for image in named if not image.startswith(OWN) and "@sha256:" not in image]


OWN = ("lecture-pipeline:", "REGISTRY/lecture-pipeline:")


def test_images_of_others_are_named_by_their_digest() -> None:
    files = [path for path in (ROOT / "infra").rglob("*") if path.suffix in (".yaml", "") and path.is_file()]
    found = {str(path): unpinned(path.read_text()) for path in files}
    assert not {path: images for path, images in found.items() if images}
    assert unpinned("FROM python:3.11\n  image: postgres:18\n  image: lecture-pipeline:0.1.0") == [
        "python:3.11",
        "postgres:18",
    ]


def test_the_image_is_scanned_before_it_is_published() -> None:
    steps = yaml.safe_load((ROOT / ".github/workflows/images.yml").read_text())["jobs"]["image"]["steps"]
    words = [str(step.get("uses", step.get("run"))) for step in steps]
    [build] = [place for place, step in enumerate(words) if "docker build" in step]
    [scan] = [place for place, step in enumerate(words) if "trivy-action" in step]
    [push] = [place for place, step in enumerate(words) if "docker push" in step]
    assert build < scan < push
    assert steps[scan]["with"]["exit-code"] == "1"  # so that a finding ends the job


def test_no_ray_of_these_files_sends_usage_statistics() -> None:
    for file in ("Dockerfile", "slurm/train.sbatch", "kuberay/base/kustomization.yaml"):
        assert "RAY_USAGE_STATS_ENABLED=0" in (ROOT / "infra" / file).read_text()


def test_the_image_is_made_of_files_that_exist_and_that_its_ignore_file_lets_in() -> None:
    lines = (ROOT / "infra/Dockerfile").read_text().splitlines()
    admitted = {
        f"{line[1:]}" for line in (ROOT / "infra/Dockerfile.dockerignore").read_text().split() if line[0] == "!"
    }
    copied = [
        word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    ]
    assert copied
    for path in copied:
        assert (ROOT / path).exists()
        assert path in admitted


def test_no_file_holds_a_secret() -> None:
    for file in ("env.example", "mlflow/secret.env.example"):
        for line in (ROOT / "infra" / file).read_text().splitlines():
            assert line.startswith("#") or line.endswith("=")
    for service in yaml.safe_load((ROOT / "infra/compose.yaml").read_text())["services"].values():
        for key, value in service.get("environment", {}).items():
            assert not key.endswith(("PASSWORD", "SECRET_ACCESS_KEY", "TOKEN")) or value.startswith("${"), key
