"""What only Python can say of a text, asked once for each text that occurs."""

from collections.abc import Callable, Sequence

import narwhals as nw
import pyarrow as pa

from cdp_toolkit.engines.engine import Engine, Frame


def ask_once(
    frame: Frame, given: Sequence[str], into: str, answer: Callable[..., str | None], engine: Engine, *, where: nw.Expr
) -> Frame:
    """Add what a function says of the distinct texts of a few columns.

    Parameters
    ----------
    frame
        Any rows.
    given
        Text columns that the function takes, in its order.
    into
        New column.
    answer
        Gives a text or None.
    engine
        Collects the distinct texts and joins the answers.
    where
        The rows that need an answer; none of the columns may be null there.

    Returns
    -------
    Frame
        The same rows; ``into`` is null where nothing was asked.
    """
    asked = engine.collect(frame.filter(where).select(*given).unique())
    columns = [asked[name].to_pylist() for name in given]
    answers = pa.array([answer(*texts) for texts in zip(*columns, strict=True)], pa.string())
    texts = {name: pa.array(column, pa.string()) for name, column in zip(given, columns, strict=True)}
    known = engine.load(pa.table(texts | {into: answers}))
    return frame.join(known, on=list(given), how="left")
