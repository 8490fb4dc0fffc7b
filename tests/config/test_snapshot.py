"""Stored configurations hold no secret, and digests change with the weights alone."""

import pytest

from pipeline.config import digest, load_config, resolve, unresolved


@pytest.mark.parametrize("key", ["init_from", "teacher", "members"])
def test_the_digest_follows_all_that_a_run_requires_but_its_judge(key: str) -> None:
    base = resolve(load_config())
    value = ["a-0"] if key == "members" else "a-0"
    assert digest({**base, "requires": {key: value}}) != digest(base)
    assert digest({**base, "requires": {key: None, "judge": "a-0"}}) == digest(base)


def test_the_unresolved_config_never_holds_an_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINE_DATA_MIRROR", "https://user:canary@mirror.example")
    assert "canary" not in str(unresolved(load_config()))
    assert "canary" in str(resolve(load_config()))


def test_the_digest_follows_what_decides_a_result_and_nothing_else() -> None:
    base = digest(resolve(load_config()))
    assert base == digest(resolve(load_config("tracking.uri=sqlite:///other.db", "data.allow_sample=false")))
    assert base != digest(resolve(load_config("model.optimizer.lr=0.02")))
    assert base != digest(resolve(load_config("seed=1")))
