"""Objects from a configuration."""

import pytest

from pipeline.config import build
from pipeline.errors import ConfigError


def test_a_constructor_that_refuses_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="AdamW"):
        build({"_target_": "torch.optim.AdamW", "params": [], "nonsense": 1})
