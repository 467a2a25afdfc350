"""The methods that explain an answer, each with what it needs and where it comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from nnlab.runs.explaining import gradients
from nnlab.runs.explaining.explainable import Explainable
from nnlab.runs.explaining.occlusion import occlusion
from nnlab.runs.explaining.rollout import rollout


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be explained.

    Attributes:
        inputs: (N, *shape) as the network sees them, tokens as (N, T) int64.
        columns: (N,) int64, the output of each example.
        baseline: broadcastable to inputs, of tokens to their embeddings: what stands for "nothing
            is there".
        layer: name of the last convolution whose output has places; None where there is none.
        attention: whether what attention carries can be followed from the inputs on.
    """

    inputs: Tensor
    columns: Tensor
    baseline: Tensor
    layer: str | None
    attention: bool = False

    @property
    def images(self) -> bool:
        """Whether inputs are (N, C, H, W)."""
        return self.inputs.ndim == 4

    @property
    def tokens(self) -> bool:
        """Whether inputs are (N, T) tokens."""
        return not self.inputs.is_floating_point()

    @property
    def sequences(self) -> bool:
        """Whether inputs are tokens or (N, T, D) numbers: a method says one number a step."""
        return self.tokens or self.inputs.ndim == 3

    def answered_by(self, method: "Method") -> bool:
        """Whether a network has what a method needs."""
        if method.needs == "convolution":
            return self.layer is not None
        return method.needs is None or self.attention


class Method(NamedTuple):
    """A method that says what an answer comes from, number by number of the input.

    Attributes:
        title: as people call it.
        signed: whether numbers below 0 mean that something speaks against the answer.
        source: the paper.
        meaning: what a number of it says, in a sentence.
        attribute: (N, F) of a table, (N, C, H, W) or (N, H, W) of images, (N, T) of sequences.
        needs: what must be in the network: a convolution whose output has places, or attention
            between the places of the inputs.
    """

    title: str
    signed: bool
    source: str
    meaning: str
    attribute: Callable[[Explainable, Question], Tensor]
    needs: Literal["convolution", "attention"] | None = None


def _saliency(network: Explainable, asked: Question) -> Tensor:
    numbers = network.numbers(asked.inputs)
    return _sizes(gradients.input_gradient(network, numbers, asked.columns))


def _smooth(network: Explainable, asked: Question) -> Tensor:
    numbers = network.numbers(asked.inputs)
    return _sizes(gradients.smooth_gradient(network, numbers, asked.columns))


def _integrated(network: Explainable, asked: Question) -> Tensor:
    return parts_of(integrate(network, asked), asked)


def parts_of(found: gradients.Integrated, asked: Question) -> Tensor:
    """The parts as METHODS have them: of steps one number each."""
    return found.attribution.sum(dim=2) if asked.sequences else found.attribution


def integrate(network: Explainable, asked: Question, *, steps: int = 64) -> gradients.Integrated:
    """Integrated gradients of a question, of each feature of a step by itself."""
    numbers = network.numbers(asked.inputs)
    return gradients.integrated_gradients(
        network, numbers, asked.columns, baseline=asked.baseline, steps=steps
    )


def integrate_closely(network: Explainable, asked: Question) -> gradients.Integrated:
    """As `integrate`, by four times as many points where the parts miss their sum by over 1 %.

    Near 0 a norm turns small embeddings into large ones: there the way to a token is steep.
    """
    found = integrate(network, asked)
    return found if found.miss <= 0.01 else integrate(network, asked, steps=256)


def integrate_roughly(network: Explainable, asked: Question) -> Tensor:
    """The parts by a few points: enough for their order, which the test on random weights asks."""
    return parts_of(integrate(network, asked, steps=16), asked)


def _occluded(network: Explainable, asked: Question) -> Tensor:
    side = max(min(asked.inputs.shape[-2:]) // 7, 2) if asked.images else 1
    numbers = network.numbers(asked.inputs)
    found = occlusion(network, numbers, asked.columns, baseline=asked.baseline, window=side)
    # A step is covered as a whole: each of its features has the same number.
    return found[:, :, 0] if asked.sequences else found


def _grad_cam(network: Explainable, asked: Question) -> Tensor:
    assert asked.layer is not None
    layer = network.get_submodule(asked.layer)
    return gradients.grad_cam(network, layer, asked.inputs, asked.columns)


def _rolled_out(network: Explainable, asked: Question) -> Tensor:
    return rollout(network, asked.inputs)


def _sizes(gradient: Tensor) -> Tensor:
    """Of numbers their sizes; of steps (N, T, D) the length of each, (N, T)."""
    return gradient.norm(dim=2) if gradient.ndim == 3 else gradient.abs()


METHODS: dict[str, Method] = {
    "integrated_gradients": Method(
        "integrated gradients",
        True,
        "Sundararajan, Taly & Yan 2017, arXiv:1703.01365",
        "each input's part of the difference between this output and that of the baseline",
        _integrated,
    ),
    "occlusion": Method(
        "occlusion",
        True,
        "Zeiler & Fergus 2014, arXiv:1311.2901",
        "how far the output falls when this place is covered by the baseline",
        _occluded,
    ),
    "grad_cam": Method(
        "Grad-CAM",
        False,
        "Selvaraju et al. 2017, arXiv:1610.02391",
        "where the channels of the last convolution that speak for this output are active",
        _grad_cam,
        needs="convolution",
    ),
    "attention_rollout": Method(
        "attention rollout",
        False,
        "Abnar & Zuidema 2020, arXiv:2005.00928",
        "how much attention carries from here to where the answer is read; it is the same for "
        "every class",
        _rolled_out,
        needs="attention",
    ),
    "saliency": Method(
        "saliency",
        False,
        "Simonyan, Vedaldi & Zisserman 2013, arXiv:1312.6034",
        "how much the output changes with a small change of this input",
        _saliency,
    ),
    "smoothgrad": Method(
        "SmoothGrad",
        False,
        "Smilkov et al. 2017, arXiv:1706.03825",
        "the gradient, averaged over 32 noisy copies of the input",
        _smooth,
    ),
}
"""By the word that chooses them, in the order in which they are shown."""


def last_convolution(network: nn.Module, inputs: Tensor) -> str | None:
    """The name of the last convolution whose output has more than one place; None without one.

    Args:
        network: in evaluation mode.
        inputs: (N, *shape) of at least one example.
    """
    found: list[str] = []
    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):

            def note(_: nn.Module, __: object, output: Tensor, name: str = name) -> None:
                if output[0, 0].numel() > 1:
                    found.append(name)

            hooks.append(module.register_forward_hook(note))
    try:
        with torch.no_grad():
            network(inputs[:1])
    finally:
        for hook in hooks:
            hook.remove()
    return found[-1] if found else None
