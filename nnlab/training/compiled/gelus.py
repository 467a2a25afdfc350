"""gelu in a recorded step: forward and backward pass share an exponential.

x Phi(x) and its derivative Phi(x) + x phi(x) need exp(-x^2 / 2) of each number: phi is that over
sqrt(2 pi), and a computer has Phi from it too. A compiler makes loops of what it is given, so it
computes that three times; here it is computed once, and kept.
"""

from math import pi, sqrt
from typing import Any

import torch
from torch.fx import Graph, GraphModule, Node

_aten = torch.ops.aten
_RATE = 0.3275911
_TAIL = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
"""1 - erf(z) = (a1 t + ... + a5 t^5) exp(-z^2) for z >= 0 with t = 1 / (1 + rate z), off by 1.5e-7
at most: Abramowitz & Stegun 1964, 7.1.26, from a5 down. torch's own vectors of float32 have it."""


def share_exponentials(recorded: GraphModule) -> None:
    """Lets gelu's backward pass take exp(-x^2 / 2) from the forward pass.

    Args:
        recorded: changed in place where it computes gelu and its derivative in float32.
    """
    graph = recorded.graph
    for node in graph.find_nodes(op="call_function", target=_aten.gelu_backward.default):
        grad, x = node.args
        assert isinstance(x, Node)
        value = _forward_pass(node, x)
        # float64 has more digits than the formula, and lower precision is computed in float32.
        if value is None or x.meta["val"].dtype != torch.float32:
            continue
        like = x.meta["val"]
        with graph.inserting_before(value):
            power = _call(graph, "exp", _scaled(graph, _call(graph, "mul", x, x), -0.5))
            # A view by strides is of memory: without it the compiler need not keep a buffer of it.
            shape, strides = list(like.shape), list(like.stride())
            kept = graph.call_function(_aten.as_strided.default, (power, shape, strides))
            kept.meta = {"val": like}
            found = _call(graph, "mul", x, _cumulative(graph, x, kept))
        with graph.inserting_before(node):
            density = _scaled(graph, kept, 1.0 / sqrt(2.0 * pi))
            slope = _call(
                graph, "add", _cumulative(graph, x, kept), _call(graph, "mul", x, density)
            )
            product = _call(graph, "mul", grad, slope)
        for old, new in ((node, product), (value, found)):
            new.meta = dict(old.meta)
            old.replace_all_uses_with(new)
            graph.erase_node(old)
    recorded.recompile()


def _forward_pass(backward: Node, x: Node) -> Node | None:
    """The gelu of which that is the derivative; None where there is none, or it is tanh's."""
    if backward.kwargs.get("approximate", "none") != "none":
        return None
    return next((user for user in x.users if user.target is _aten.gelu.default), None)


def _cumulative(graph: Graph, x: Node, power: Node) -> Node:
    """Phi(x), given exp(-x^2 / 2)."""
    size = _scaled(graph, _call(graph, "abs", x), _RATE / sqrt(2.0))
    t = _call(graph, "reciprocal", _call(graph, "add", size, 1.0))
    series = _scaled(graph, t, _TAIL[0])
    for factor in _TAIL[1:]:
        series = _call(graph, "mul", _call(graph, "add", series, factor), t)
    below = _scaled(graph, _call(graph, "mul", series, power), 0.5)
    above = graph.call_function(_aten.rsub.Scalar, (below, 1.0))
    negative = graph.call_function(_aten.lt.Scalar, (x, 0.0))
    return graph.call_function(_aten.where.self, (negative, below, above))


def _scaled(graph: Graph, x: Node, factor: float) -> Node:
    return _call(graph, "mul", x, factor)


def _call(graph: Graph, name: str, *args: Any) -> Node:
    packet = getattr(_aten, name)
    return graph.call_function(packet.Tensor if len(args) > 1 else packet.default, args)
