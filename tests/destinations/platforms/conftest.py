"""Platforms that are called: what differs by engine is tested with the plan."""

import hashlib

import pytest

from cdp_toolkit.connectors.limits import Patience
from cdp_toolkit.engines import Engine, open_engine


@pytest.fixture
def engine() -> Engine:
    return open_engine("polars")


@pytest.fixture
def quick() -> Patience:
    return Patience(attempts=5, first_s=0.001, most_s=0.01)


@pytest.fixture
def sha256():
    return lambda text: hashlib.sha256(text.encode()).hexdigest()
