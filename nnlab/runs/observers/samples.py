"""What a network writes while it learns a text, for TensorBoard's text page."""

from itertools import islice
from typing import final

from nnlab.display.pictures.family import Scene
from nnlab.parts.datasets.sequences.text import TextLikeConfig
from nnlab.runs.building.writing import Sampling, written_tokens

_BEGIN, _LENGTH = 24, 120
"""So many tokens of a validation example are gone on with, and so many follow."""
_VIEW = 64
"""What is written is written with at most so many tokens in view: each costs a pass over them."""


@final
class Samples:
    """Goes on with one and the same piece of text, moment after moment of a run.

    Each token is drawn by the network's own probabilities, always from the same seed: what changes
    is the network. Nothing of the run changes.

    Args:
        scene: of a run that `fits`.
    """

    def __init__(self, scene: Scene) -> None:
        data = scene.experiment.config.data
        assert isinstance(data, TextLikeConfig)
        self._scene, self._window = scene, min(data.window, _VIEW)
        self._vocabulary = data.tokens_of(scene.experiment.place)
        self._begin: list[int] = scene.source.gather(scene.probe[:1]).inputs[0][:_BEGIN].tolist()

    @staticmethod
    def fits(scene: Scene) -> bool:
        """Whether the network tells the next token of a text."""
        text = isinstance(scene.experiment.config.data, TextLikeConfig)
        return text and bool(scene.experiment.shape.places)

    def write(self) -> str:
        """What the network goes on with now, as Markdown: what it was shown, then what it wrote."""
        tokens = written_tokens(
            self._scene.experiment,
            self._scene.network,
            self._begin,
            window=self._window,
            sampling=Sampling(),
        )
        wrote = self._vocabulary.text_of(list(islice(tokens, _LENGTH)))
        shown = self._vocabulary.text_of(self._begin)
        return f"after\n\n{_quoted(shown)}\n\nit writes\n\n{_quoted(wrote)}\n"


def _quoted(text: str) -> str:
    """A text as it is: in Markdown, an indented block."""
    return "\n".join(f"    {line}" for line in text.split("\n"))
