"""What a test needs of the machine besides the lock; CI has all of it, and is told so."""

import os
from typing import NoReturn

import pytest


def lacking(what: str) -> NoReturn:
    """Skip a test on an analyst's machine that lacks something, and fail it where nothing may be lacking."""
    if os.environ.get("CDP_TEST_SERVERS") == "required":
        pytest.fail(f"lacks {what}, which this machine must have")
    pytest.skip(f"lacks {what}: on Debian `apt-get install {what}`")
