"""A layer of attention there and back, written out in NumPy. Vaswani et al. 2017, eq. 1.

There, of each head, with maps W and biases b:

    q = x Wq' + bq,  k = x Wk' + bk,  v = x Wv' + bv       (T, E) each
    S = q k' / sqrt(E),  A = softmax of each row of S,  o = A v
    y = [o of all heads] Wo' + bo

and back, from dC/dy:

    dC/do = dC/dy Wo,   dC/dv = A' dC/do,   dC/dA = dC/do v'
    dC/dS = J dC/dA,  J = diag(a) - a a' of each row a of A
    dC/dq = dC/dS k / sqrt(E),   dC/dk = dC/dS' q / sqrt(E)
    dC/dW = delta' x and dC/db = the sum of delta over places, delta what comes back to each map
"""

from collections.abc import Mapping
from dataclasses import dataclass

from nnlab.core.lazy import Floats, np


@dataclass(frozen=True, slots=True)
class AttentionLayer:
    """A layer of attention as the equations know it.

    Attributes:
        weight: Wq, Wk, Wv below each other, (3 D, D).
        bias: (3 D,); zeros where there is none.
        out_weight: Wo, (D, D).
        out_bias: (D,); zeros where there is none.
        heads: H.
        causal: whether a place sees itself and those before it alone.
        slopes: (H,) of alibi, what a step of distance takes off a logit; zeros without.
    """

    weight: "Floats"
    bias: "Floats"
    out_weight: "Floats"
    out_bias: "Floats"
    heads: int
    causal: bool
    slopes: "Floats"


@dataclass(frozen=True, slots=True)
class AttentionThere:
    """What a pass computes: x and y (T, D), q, k, v, o (H, T, E), logits and weights (H, T, T)."""

    x: "Floats"
    q: "Floats"
    k: "Floats"
    v: "Floats"
    logits: "Floats"
    weights: "Floats"
    o: "Floats"
    y: "Floats"


@dataclass(frozen=True, slots=True)
class AttentionBack:
    """What comes back, each of the shape of what it is the gradient of; `gradients` by name."""

    y: "Floats"
    weights: "Floats"
    logits: "Floats"
    q: "Floats"
    k: "Floats"
    v: "Floats"
    x: "Floats"
    gradients: "Mapping[str, Floats]"


def _apart(x: "Floats", heads: int) -> "Floats":
    """(T, D) to (H, T, E)."""
    return x.reshape(len(x), heads, -1).transpose(1, 0, 2)


def _together(x: "Floats") -> "Floats":
    """(H, T, E) to (T, D)."""
    return x.transpose(1, 0, 2).reshape(x.shape[1], -1)


def attend(layer: AttentionLayer, x: "Floats") -> AttentionThere:
    """The way there, for one example x (T, D)."""
    maps = np.split(x @ layer.weight.T + layer.bias, 3, axis=1)
    q, k, v = (_apart(each, layer.heads) for each in maps)
    places = np.arange(len(x))
    ahead = places - places[:, None]
    logits = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2])
    logits = logits - np.abs(ahead) * layer.slopes[:, None, None]
    if layer.causal:
        logits = np.where(ahead > 0, -np.inf, logits)
    # Less the largest of a row, so that no exponential overflows: it falls out of the quotient.
    exponentials = np.exp(logits - logits.max(axis=2, keepdims=True))
    weights = exponentials / exponentials.sum(axis=2, keepdims=True)
    o = weights @ v
    y = _together(o) @ layer.out_weight.T + layer.out_bias
    return AttentionThere(x, q, k, v, logits, weights, o, y)


def softmax_jacobian(a: "Floats") -> "Floats":
    """da_i / ds_j = a_i (1[i = j] - a_j) of one row a (T,) of a softmax: (T, T)."""
    return np.diag(a) - np.outer(a, a)


def attend_back(layer: AttentionLayer, there: AttentionThere, dy: "Floats") -> AttentionBack:
    """The way back, from dC/dy (T, D)."""
    x, a = there.x, there.weights
    do = _apart(dy @ layer.out_weight, layer.heads)
    dv = a.transpose(0, 2, 1) @ do
    da = do @ there.v.transpose(0, 2, 1)
    ds = np.stack(
        [[softmax_jacobian(a[h, t]) @ da[h, t] for t in range(len(x))] for h in range(len(a))]
    )
    root = np.sqrt(there.q.shape[2])
    dq, dk = ds @ there.k / root, ds.transpose(0, 2, 1) @ there.q / root
    delta = np.concatenate([_together(each) for each in (dq, dk, dv)], axis=1)
    gradients = {
        "in_proj_weight": delta.T @ x,
        "in_proj_bias": delta.sum(axis=0),
        "out_proj.weight": dy.T @ _together(there.o),
        "out_proj.bias": dy.sum(axis=0),
    }
    return AttentionBack(dy, da, ds, dq, dk, dv, delta @ layer.weight, gradients)
