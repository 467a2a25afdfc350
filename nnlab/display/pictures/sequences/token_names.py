"""How the steps of a text are named along an axis."""

from typing import TYPE_CHECKING, Any

from nnlab.display.pictures.family import Scene
from nnlab.parts.datasets.sequences.tokens import token_names

if TYPE_CHECKING:
    from torch import Tensor

MOST_STEPS = 40
"""So many steps of a text have room for their tokens under the axis."""


def tokens_of(scene: Scene, inputs: "Tensor") -> list[str]:
    """The names of the tokens of one example (T,), as far as they have room; none of numbers."""
    names = token_names(scene.experiment.shape)
    if not names:
        return []
    return [short_token(names[int(token)]) for token in inputs[:MOST_STEPS]]


def name_steps(axes: Any, tokens: list[str], steps: int) -> None:
    """Writes tokens under the steps of an axis, or that these are steps."""
    if tokens:
        shown = tokens[:steps]
        upright = max(map(len, shown)) > 2
        axes.set_xticks(range(len(shown)), shown, fontsize=6, rotation=90 if upright else 0)
    else:
        axes.set_xlabel("step of the sequence", fontsize=8)


def short_token(token: str) -> str:
    """A token as it has room in a cell."""
    return {"space": "_", "newline": "\\n", "tab": "\\t"}.get(token, token[:6])
