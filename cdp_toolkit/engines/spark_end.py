"""How the client of a Spark Connect server ends: with its process, also where the server is gone before."""

import atexit
import threading
from functools import partial
from typing import Any

from pyspark.sql.connect.client.retries import DefaultPolicy, Retrying

_ENDED = threading.Event()
# Python waits for the threads of pools before it calls what `atexit` knows; this it calls earlier.
threading._register_atexit(_ENDED.set)  # type: ignore[attr-defined]  # noqa: SLF001 - it has no other door


class _UntilTheEnd(DefaultPolicy):  # type: ignore[misc]  # of a package that not everybody has
    """Tries again as long as the process goes on."""

    def can_retry(self, exception: BaseException) -> bool:
        return not _ENDED.is_set() and bool(super().can_retry(exception))


def end_with_process(client: Any) -> None:
    """Let a client ask nothing again once its process ends.

    Parameters
    ----------
    client
        A ``pyspark.sql.connect.client.SparkConnectClient``. It lets go of results in threads of its own, and tries that,
        as everything, for ten minutes; and at the end it has the server clear a cache of models, of which there are none.
    """
    atexit.unregister(client._on_exit)  # noqa: SLF001 - it has no other door
    client._retrying = partial(Retrying, [_UntilTheEnd()], sleep=_ENDED.wait)  # noqa: SLF001 - as above
