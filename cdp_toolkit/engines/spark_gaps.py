"""What lies between narwhals 2.29 and a Spark Connect server, closed here until it is closed there.

Each gap has a test in ``tests/engines/test_spark.py`` that asks for the effect; a gap that has closed is deleted here.
"""

import re
import uuid
from types import SimpleNamespace
from typing import Any

import pyspark.sql.connect.functions as F  # noqa: N812 - as all the world writes it
from narwhals._spark_like import expr
from narwhals._spark_like.dataframe import SparkLikeLazyFrame
from narwhals._spark_like.expr_str import SparkLikeExprStringNamespace
from narwhals._spark_like.utils import true_divide
from pyspark.sql.connect.plan import CachedRemoteRelation, LogicalPlan

_MOST_STEPS = 12


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


def short(native: Any) -> Any:
    """Return a frame whose plan is a name, once it has many steps: the server keeps the plan as a view.

    A plan is sent whole with every question, such as which columns there are, so that a line of many steps would send
    as much as their square; and a message nests no deeper than 100 levels.

    Parameters
    ----------
    native
        A frame of the server.

    Returns
    -------
    pyspark.sql.connect.dataframe.DataFrame
        The same rows; nothing is run.
    """
    if _steps(native._plan) <= _MOST_STEPS:  # noqa: SLF001 - the client has no other door to it
        return native
    name = f"cdp_{uuid.uuid4().hex}"
    native.createOrReplaceTempView(name)
    view = native.sparkSession.table(name)
    # The server forgets a checkpoint with the client's object. Of the plan nothing else is kept: CPython 3.11 ends with
    # "double free or corruption" where it frees long chains of objects, one of which asks the server while it is freed.
    view._plan.kept = _checkpoints(native._plan)  # noqa: SLF001
    return view


def _steps(plan: Any) -> int:
    """Return how many steps a message holds that has this plan in it; what two steps share is sent twice."""
    if "steps" not in vars(plan):
        plan.steps = 1 + sum(map(_steps, _inputs(plan)))
    return int(plan.steps)


def _checkpoints(plan: Any) -> frozenset[Any]:
    own = {plan} if isinstance(plan, CachedRemoteRelation) else getattr(plan, "kept", ())
    return frozenset(own).union(*map(_checkpoints, _inputs(plan)))


def _inputs(plan: Any) -> list[Any]:
    return [each for each in vars(plan).values() if isinstance(each, LogicalPlan)]


def close_gaps() -> None:
    """Let narwhals speak to a server as to any engine."""
    type.__setattr__(SparkLikeLazyFrame, "_with_native", _with_native)
    vars(expr).update(true_divide=_divided)
    type.__setattr__(SparkLikeExprStringNamespace, "split", _split)
    type.__setattr__(expr.SparkLikeExpr, "from_column_names", classmethod(_from_column_names))


def _with_native(self: Any, native: Any) -> Any:
    return type(self)(short(native), version=self._version, implementation=self._implementation)


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
