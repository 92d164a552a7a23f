"""What tests of decoders share: a way past the run-time types of tests/conftest.py, to what a door itself says of fields of another type."""

import jaxtyping
import pytest


@pytest.fixture
def untyped(monkeypatch):
    """Within this test no types are checked at run time."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
