"""The methods that explain an answer, each with what it needs and where it comes from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nnlab.runs.explaining import gradients
from nnlab.runs.explaining.occlusion import occlusion


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be explained.

    Attributes:
        inputs: (N, *shape) as the network sees them.
        columns: (N,) int64, the output of each example.
        baseline: broadcastable to inputs, what stands for "nothing is there".
        layer: name of the last convolution whose output has places; None where there is none.
    """

    inputs: Tensor
    columns: Tensor
    baseline: Tensor
    layer: str | None

    @property
    def images(self) -> bool:
        """Whether inputs are (N, C, H, W)."""
        return self.inputs.ndim == 4


class Method(NamedTuple):
    """A method that says what an answer comes from, number by number of the input.

    Attributes:
        title: as people call it.
        signed: whether numbers below 0 mean that something speaks against the answer.
        source: the paper.
        meaning: what a number of it says, in a sentence.
        attribute: (N, *shape), or (N, H, W) for a map over an image.
        needs_convolution: whether it needs one in the network whose output has places.
    """

    title: str
    signed: bool
    source: str
    meaning: str
    attribute: Callable[[nn.Module, Question], Tensor]
    needs_convolution: bool = False


def _saliency(network: nn.Module, asked: Question) -> Tensor:
    return gradients.input_gradient(network, asked.inputs, asked.columns).abs()


def _smooth(network: nn.Module, asked: Question) -> Tensor:
    return gradients.smooth_gradient(network, asked.inputs, asked.columns).abs()


def _integrated(network: nn.Module, asked: Question) -> Tensor:
    return gradients.integrated_gradients(
        network, asked.inputs, asked.columns, baseline=asked.baseline
    ).attribution


def _occluded(network: nn.Module, asked: Question) -> Tensor:
    side = max(min(asked.inputs.shape[-2:]) // 7, 2) if asked.images else 1
    return occlusion(network, asked.inputs, asked.columns, baseline=asked.baseline, window=side)


def _grad_cam(network: nn.Module, asked: Question) -> Tensor:
    assert asked.layer is not None
    layer = network.get_submodule(asked.layer)
    return gradients.grad_cam(network, layer, asked.inputs, asked.columns)


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
        needs_convolution=True,
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
