"""Nodes of the Profile Query Language to text."""

import json

from cdp_toolkit.segments.pql import nodes as n

# How tightly a construct holds together; a looser one inside a tighter one stands in parentheses.
_OPEN, _OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _UNARY, _PATH = range(9)


def write(node: n.Node) -> str:
    """Write a tree as text.

    Parameters
    ----------
    node
        A tree as ``parse`` gives it.

    Returns
    -------
    str
        Text on one line; parsing it gives an equal tree.

    Examples
    --------
    >>> write(n.Not(n.Compare("=", n.Name("country"), n.Literal("Canada"))))
    'not country = "Canada"'
    """
    return n.written(node)


def _within(node: n.Node, least: int) -> str:
    text = write(node)
    return text if _tightness(node) >= least else f"({text})"


def _tightness(node: n.Node) -> int:  # noqa: PLR0911 - one case a level
    match node:
        case n.Quantifier() | n.Fold() | n.Let() | n.Lambda():
            return _OPEN
        case n.Or():
            return _OR
        case n.And():
            return _AND
        case n.Not():
            return _NOT
        case n.Compare() | n.In() | n.Like() | n.Between() | n.Occurs():
            return _COMPARISON
        case n.Arithmetic(operator="+" | "-"):
            return _SUM
        case n.Arithmetic():
            return _PRODUCT
        case n.Negative():
            return _UNARY
        case n.Literal(value=int() | float() as value) if value < 0 or str(value).startswith("-"):
            return _UNARY
        case _:
            return _PATH


def _listed(nodes: tuple[n.Node, ...]) -> str:
    return ", ".join(write(node) for node in nodes)


@n.written.register
def _(node: n.Literal) -> str:
    match node.value:
        case None:
            return "null"
        case bool(truth):
            return str(truth).lower()
        case str(text):
            return json.dumps(text, ensure_ascii=False)
        case number:
            return repr(number)


@n.written.register
def _(node: n.Day) -> str:
    return f"date({node.value.year}, {node.value.month}, {node.value.day})"


@n.written.register
def _(node: n.Moment) -> str:
    return node.name


@n.written.register
def _(node: n.Period) -> str:
    return f"{node.which} {node.unit}"


@n.written.register
def _(node: n.Array) -> str:
    return f"[{_listed(node.items)}]"


@n.written.register
def _(node: n.Name) -> str:
    return node.name


@n.written.register
def _(node: n.Parameter) -> str:
    return f"${node.number}"


@n.written.register
def _(node: n.Member) -> str:
    return f"{_within(node.of, _PATH)}.{node.name}"


@n.written.register
def _(node: n.Filtered) -> str:
    return f"{_within(node.array, _PATH)}[{write(node.condition)}]"


@n.written.register
def _(node: n.Call) -> str:
    receiver = "" if node.of is None else f"{_within(node.of, _PATH)}."
    return f"{receiver}{node.name}({_listed(node.arguments)})"


@n.written.register
def _(node: n.Lambda) -> str:
    return f"({', '.join(node.parameters)}) => {write(node.body)}"


@n.written.register
def _(node: n.Not) -> str:
    return f"not {_within(node.operand, _NOT)}"


@n.written.register
def _(node: n.And) -> str:
    return " and ".join(_within(operand, _NOT) for operand in node.operands)


@n.written.register
def _(node: n.Or) -> str:
    return " or ".join(_within(operand, _AND) for operand in node.operands)


@n.written.register
def _(node: n.Compare) -> str:
    return f"{_within(node.left, _SUM)} {node.operator} {_within(node.right, _SUM)}"


@n.written.register
def _(node: n.In) -> str:
    return f"{_within(node.left, _SUM)} {'notIn' if node.negated else 'in'} {_within(node.right, _SUM)}"


@n.written.register
def _(node: n.Like) -> str:
    return f"{_within(node.left, _SUM)} like {_within(node.right, _SUM)}"


@n.written.register
def _(node: n.Between) -> str:
    return f"{_within(node.value, _SUM)} between {_within(node.low, _SUM)} and {_within(node.high, _SUM)}"


@n.written.register
def _(node: n.Arithmetic) -> str:
    own = _tightness(node)
    return f"{_within(node.left, own)} {node.operator} {_within(node.right, own + 1)}"


@n.written.register
def _(node: n.Negative) -> str:
    # A literal in parentheses, or it would be read as a negative literal.
    plain = isinstance(node.operand, n.Literal)
    return f"-({write(node.operand)})" if plain else f"-{_within(node.operand, _PATH)}"


@n.written.register
def _(node: n.Occurs) -> str:
    ending = " ignore year" if node.ignore_year else ""
    return f"{_within(node.value, _SUM)} occurs {write(node.when)}{ending}"


@n.written.register
def _(node: n.Distance) -> str:
    unit = node.unit if node.amount == 1 else _PLURALS.get(node.unit, f"{node.unit}s")
    return f"{node.operator} {node.amount} {unit} {node.direction} {_within(node.anchor, _SUM)}"


_PLURALS = {"century": "centuries", "millennium": "millennia"}


@n.written.register
def _(node: n.Side) -> str:
    return f"{node.direction} {_within(node.anchor, _SUM)}"


@n.written.register
def _(node: n.On) -> str:
    return f"on {_within(node.anchor, _SUM)}"


@n.written.register
def _(node: n.Span) -> str:
    return f"between {_within(node.start, _SUM)} and {_within(node.end, _SUM)}"


@n.written.register
def _(node: n.Source) -> str:
    condition = "" if node.condition is None else f" where {_within(node.condition, _OR)}"
    return f"{node.variable} from {_within(node.array, _SUM)}{condition}"


@n.written.register
def _(node: n.Quantifier) -> str:
    return f"{node.kind} {_listed(node.sources)}"


@n.written.register
def _(node: n.Fold) -> str:
    return f"{node.function} {_within(node.value, _PATH)} over {_listed(node.sources)}"


@n.written.register
def _(node: n.Let) -> str:
    return f"let {node.variable} = {_within(node.value, _SUM)} in {write(node.body)}"


@n.written.register
def _(node: n.Step) -> str:
    when = "" if node.when is None else f" WHEN({write(node.when)})"
    count = "" if node.count is None else f" COUNT({' '.join(str(part) for part in node.count if part is not None)})"
    return f"{node.label}: {'not ' if node.negated else ''}WHAT({write(node.what)}){when}{count}"


@n.written.register
def _(node: n.Chain) -> str:
    return f"CHAIN({write(node.array)}, {write(node.time)}, [{_listed(node.steps)}])"
