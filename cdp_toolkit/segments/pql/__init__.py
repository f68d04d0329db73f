"""The Profile Query Language: text to nodes and back, and nodes to names of the model."""

from cdp_toolkit.segments.pql.nodes import Node
from cdp_toolkit.segments.pql.parse import parse
from cdp_toolkit.segments.pql.write import write

__all__ = ["Node", "parse", "write"]
