"""What lies between narwhals 2.29 and a Spark Connect server, closed here until it is closed there.

Each gap has a test in ``tests/engines/test_spark.py`` that asks for the effect; a gap that has closed is deleted here.
"""

import re
from types import SimpleNamespace
from typing import Any

import pyspark.sql.connect.functions as F  # noqa: N812 - as all the world writes it
from narwhals._spark_like import expr
from narwhals._spark_like.expr_str import SparkLikeExprStringNamespace
from narwhals._spark_like.utils import true_divide


def column(name: str) -> Any:
    """Return the column of that name, whatever it is made of.

    Parameters
    ----------
    name
        Name as it is, not quoted.

    Returns
    -------
    pyspark.sql.connect.column.Column
        The column; a dot in its name does not lead into a structure.
    """
    return F.col("`" + name.replace("`", "``") + "`")


def close_gaps() -> None:
    """Let narwhals speak to a server as to any engine."""
    vars(expr).update(true_divide=_divided)
    type.__setattr__(SparkLikeExprStringNamespace, "split", _split)
    type.__setattr__(expr.SparkLikeExpr, "from_column_names", classmethod(_from_column_names))


def _divided(functions: Any, left: Any, right: Any) -> Any:
    # narwhals divides by try_divide, which Sail 0.7 has for whole numbers only; without it, it takes the plain sign.
    plain: Any = SimpleNamespace(lit=functions.lit, when=functions.when)
    return true_divide(plain, left, right)


def _split(self: Any, by: str) -> Any:
    # narwhals hands the text on as a pattern, so that a dot parts all letters.
    pattern = re.sub(r"([.^$*+?()\[\]{}|\\])", r"\\\1", by)
    return self.compliant._with_elementwise(lambda text: F.split(text, pattern))  # noqa: SLF001 - as narwhals does


def _from_column_names(cls: Any, names: Any, /, *, context: Any) -> Any:
    # narwhals takes `accountKey.sourceKey`, as exports write it, for a field of a structure.
    return cls(
        lambda frame: [column(name) for name in names(frame)],
        evaluate_output_names=names,
        alias_output_names=None,
        version=context._version,  # noqa: SLF001 - as narwhals itself does
        implementation=context._implementation,  # noqa: SLF001
    )
