"""A network as explanations ask it: by numbers that can change a little, for one answer each."""

from typing import Any, final

import torch
from torch import Tensor, nn

from nnlab.experiment.experiment import Experiment


@final
class Explainable(nn.Module):
    """One answer for each example, from numbers: tokens are seen as their embeddings.

    What an embedding gives is replaced by what is asked, so that everything behind it can be
    differentiated, covered, and moved towards a baseline.

    Args:
        network: (N, *shape) to (N, K), or to (N, *places, K).
        pair: whether one logit stands for two classes; it becomes both.
        places: whether there is an answer at each place: the last one is explained.
        tokens: whether the inputs are tokens.
    """

    def __init__(
        self, network: nn.Module, *, pair: bool = False, places: bool = False, tokens: bool = False
    ) -> None:
        super().__init__()
        self.network = network
        self._pair, self._places, self._tokens = pair, places, tokens

    def embedding(self) -> nn.Embedding | None:
        """The layer that sees the tokens; None without one."""
        found = (m for m in self.network.modules() if isinstance(m, nn.Embedding))
        return next(found, None) if self._tokens else None

    def numbers(self, inputs: Tensor) -> Tensor:
        """What is explained: tokens (N, T) by their embeddings (N, T, D), else the inputs."""
        embedding = self.embedding()
        return inputs if embedding is None else embedding(inputs).detach()

    def forward(self, numbers: Tensor) -> Tensor:
        """(N, *shape), of tokens (N, T, D), to (N, K)."""
        embedding = self.embedding()
        if embedding is None:
            outputs = self.network(numbers)
        else:

            def given(*_: Any) -> Tensor:
                return numbers

            hook = embedding.register_forward_hook(given)
            try:
                # Any tokens will do: the hook puts the numbers in the place of their embeddings.
                nothing = numbers.new_zeros(numbers.shape[:2], dtype=torch.int64)
                outputs = self.network(nothing)
            finally:
                hook.remove()
        if self._places:
            outputs = outputs[:, -1]
        return torch.cat([-outputs, outputs], dim=1) if self._pair else outputs


def explainable_of(experiment: Experiment, network: nn.Module) -> Explainable:
    """A network of a run as explanations ask it."""
    shape = experiment.shape
    pair = shape.task == "classes" and experiment.loss.outputs(shape) < shape.outputs
    return Explainable(network, pair=pair, places=bool(shape.places), tokens=bool(shape.tokens))


def has_explanations(experiment: Experiment, network: nn.Module) -> bool:
    """Whether outputs have a gradient by what the network sees."""
    config = experiment.config
    if config.own_scores is not None or not config.rule.optimized:
        return False
    found = explainable_of(experiment, network)
    return not experiment.shape.tokens or found.embedding() is not None
