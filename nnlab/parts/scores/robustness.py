"""Scores of how a network behaves on inputs that are not those of the data. In evaluation only.

Nothing here changes weights, buffers or gradients, and noise depends on row numbers alone.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal, final

from pydantic import PositiveFloat

from nnlab.core.contracts import Batch, DataShape, LossFn, Score, Task
from nnlab.core.lazy import Tensor, torch
from nnlab.core.seeds import seed_for
from nnlab.parts import row_random
from nnlab.parts.augments import Augment
from nnlab.parts.augments.pixel_values import NoiseConfig
from nnlab.parts.scores.family import (
    NetworkScoreConfig,
    Sums,
    classes_of,
    first_mean,
    predicted_class,
)

_DRAWS: "Mapping[str, Callable[[Tensor, int, int], Tensor]]" = {
    "uniform": row_random.uniform_rows,
    "normal": row_random.normal_rows,
}


@final
class ConfidenceOnNoiseConfig(NetworkScoreConfig, frozen=True):
    """The greatest probability that a network gives to pure noise, mean: 1/K would be honest.

    One noise input for each example, the same at every reading and for every seed. Nguyen et al.
    2015, arXiv:1412.1897; Hendrycks & Gimpel 2017, arXiv:1610.02136. In evaluation only.
    """

    kind: Literal["confidence_on_noise"] = "confidence_on_noise"
    distribution: Literal["uniform", "normal"] = "uniform"
    """Of each number that the network sees: uniform is 0 to 1, as inputs under `scale: unit`;
    normal has mean 0 and deviation 1, as those under channel and feature."""
    higher_is_better: ClassVar[bool] = False
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)
    reads: ClassVar[Literal["outputs", "probabilities", "ranks"]] = "probabilities"

    @property
    def key(self) -> str:
        return f"confidence_on_{self.distribution}_noise"

    def build(self, shape: DataShape, network: "Callable[[Tensor], Tensor]", loss: LossFn) -> Score:
        draw, seed = _DRAWS[self.distribution], seed_for(0, f"noise/{self.distribution}")

        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":  # noqa: ARG001 - the protocol's
            numbers = draw(batch.rows, seed, batch.inputs[0].numel())
            noise = numbers.to(batch.inputs.dtype).view_as(batch.inputs)
            return network(noise).amax(dim=1, keepdim=True)

        return Sums(1, terms, first_mean)


@final
class AdversarialAccuracyConfig(NetworkScoreConfig, frozen=True):
    """Accuracy after one step on the inputs that makes the loss larger: x + epsilon sign(dL/dx).

    The fast gradient sign method, Goodfellow et al. 2015, arXiv:1412.6572, section 4: every number
    of an input moves by epsilon, out of the range of pixels too; where the gradient is 0 nothing
    moves. In evaluation only.
    """

    kind: Literal["adversarial_accuracy"] = "adversarial_accuracy"
    epsilon: PositiveFloat = 0.1
    """In units of what the network sees: under `scale: unit` 1 is the way from black to white."""
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)

    @property
    def key(self) -> str:
        return f"adversarial_accuracy_{self.epsilon:g}"

    def build(self, shape: DataShape, network: "Callable[[Tensor], Tensor]", loss: LossFn) -> Score:
        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":  # noqa: ARG001 - the protocol's
            moved = batch.inputs + self.epsilon * _slope(network, loss, batch).sign()
            return (predicted_class(network(moved)) == classes_of(batch.targets))[:, None]

        return Sums(1, terms, first_mean)


@final
class AugmentedAccuracyConfig(NetworkScoreConfig, frozen=True):
    """Accuracy on the same examples after an augmentation: shifted, turned, noisy.

    What is drawn is the same at every reading and for every seed. With an augmentation that was not
    in training it says how far a network sees past it. Hendrycks & Dietterich 2019,
    arXiv:1903.12261. In evaluation only.
    """

    kind: Literal["augmented_accuracy"] = "augmented_accuracy"
    augment: Augment = NoiseConfig()
    """Of the menu that data.augment chooses from, but for those that mix examples."""
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)

    @property
    def key(self) -> str:
        return f"accuracy_under_{self.augment.kind}"

    def mistake(self, shape: DataShape) -> str | None:
        if self.augment.mixes:
            return f"{self.augment.kind} mixes classes: no single one would be right"
        if self.augment.needs_images and len(shape.inputs) != 3:
            return f"{self.augment.kind} needs (channels, height, width), gets {shape.inputs}"
        return self.augment.misfit(shape.inputs) or None

    def build(self, shape: DataShape, network: "Callable[[Tensor], Tensor]", loss: LossFn) -> Score:
        augment, seed = self.augment.build(shape), seed_for(0, "augmented")

        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":  # noqa: ARG001 - the protocol's
            changed = augment(batch, seed)
            return (predicted_class(network(changed.inputs)) == classes_of(batch.targets))[:, None]

        return Sums(1, terms, first_mean)


@final
class FreeRunningConfig(NetworkScoreConfig, frozen=True):
    """Accuracy over the second half of a window, of which the network sees what it told itself.

    The first half is the text's. While it learns a network sees the text at every step, whatever it
    tells (teacher forcing, Williams & Zipser 1989); where it writes, an error is what it sees next.
    The likeliest token goes on. A pass for each step of the second half; in evaluation only.
    """

    kind: Literal["free_running"] = "free_running"
    takes_tokens: ClassVar[bool] = True
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("classes",)

    def mistake(self, shape: DataShape) -> str | None:
        if shape.tokens and shape.places == tuple(shape.inputs) and shape.places[0] > 1:
            return None
        return f"{self.kind} needs a text of which each next token is told (accuracy)"

    def build(self, shape: DataShape, network: "Callable[[Tensor], Tensor]", loss: LossFn) -> Score:
        steps = shape.places[0]
        half = steps // 2

        def terms(outputs: "Tensor", batch: Batch) -> "Tensor":  # noqa: ARG001 - the protocol's
            seen = batch.inputs.clone()
            for step in range(half, steps):
                told = predicted_class(network(seen[:, :step])).view(len(seen), -1)
                seen[:, step] = told[:, -1]
            right = predicted_class(network(seen)) == classes_of(batch.targets)
            right = right.view(len(seen), steps).double()
            # The first half is left out of a mean over all places.
            right[:, :half] = 0.0
            return (right * (steps / (steps - half))).view(-1, 1)

        return Sums(1, terms, first_mean)


def _slope(network: "Callable[[Tensor], Tensor]", loss: LossFn, batch: Batch) -> "Tensor":
    """The derivative of each example's loss by its input, (N, *shape).

    Of the sum over examples, which do not see each other in evaluation: no mean makes it small.
    """
    with torch.enable_grad():
        inputs = batch.inputs.detach().requires_grad_()
        total = loss(network(inputs), batch._replace(inputs=inputs)).sum()
        if not total.requires_grad:
            # A count of mistakes is flat.
            return torch.zeros_like(batch.inputs)
        (slope,) = torch.autograd.grad(total, inputs)
    return slope


KINDS = (
    ConfidenceOnNoiseConfig,
    AdversarialAccuracyConfig,
    AugmentedAccuracyConfig,
    FreeRunningConfig,
)
