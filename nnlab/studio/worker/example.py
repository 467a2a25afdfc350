"""One example worked through: what comes in, what each layer makes of it, what goes back."""

from collections.abc import Mapping
from typing import Any, NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from nnlab.commands.backprop.equations import Pass, backward, dense_layers, example_loss
from nnlab.commands.backprop.proof import work_example
from nnlab.core.contracts import Batch, Examples, Split
from nnlab.core.errors import MistakeError
from nnlab.core.lazy import Floats
from nnlab.display.pictures.family import Scene, copy_to_host

_MOST = 20_000
"""With more weights than that an example is not worked by the four equations, unit by unit."""


class Chosen(NamedTuple):
    """Which example is followed."""

    split: Split
    number: int
    """Within the split, from 0, as `nnlab backprop --example` counts."""


@final
class Follower:
    """Follows one example through the network, at whatever moment it is asked.

    Args:
        scene: the network and its data.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._experiment = scene.experiment
        self.chosen: Chosen | None = None
        self.refusal = ""
        """Why the four equations do not hold for this network; empty where they do."""
        if scene.experiment.design.parameters > _MOST:
            self.refusal = f"more than {_MOST:,} weights are too many to show one by one"
            return
        try:
            self._worked()
        except MistakeError as error:
            self.refusal = str(error)

    def choose(self, split: str, number: int) -> None:
        """Follows another example; one that is not there is refused.

        Raises:
            ValueError: there is none.
        """
        for name, rows in self._scene.examples.rows.items():
            if name == split and 0 <= number < len(rows):
                self.chosen = Chosen(name, number)
                return
        raise ValueError(f"the {split} split has no example {number}")

    @property
    def row(self) -> int:
        """Of the table: the chosen one, else the first of the probe set."""
        if self.chosen is None:
            return int(self._scene.probe[0])
        return int(self._scene.examples.rows[self.chosen.split][self.chosen.number])

    def batch(self) -> Batch:
        """The example alone, as the network sees it."""
        device = next(self._scene.network.parameters()).device
        return self._scene.source.gather(torch.tensor([self.row], device=device))

    def passes(self) -> dict[str, Any] | None:
        """Forward and backward by the four equations, in float64; None where nobody follows."""
        if self.chosen is None:
            return None
        target = self._named(self._scene.examples.targets[self.row])
        about = {**self.chosen._asdict(), "target": target, "refusal": self.refusal}
        return about if self.refusal else {**about, **self._worked()}

    def _worked(self) -> dict[str, Any]:
        """What the four equations say of the example.

        Raises:
            MistakeError: they do not hold for this network, or its loss is not written out.
        """
        inputs, target = inputs_of(self._scene.examples, self.row)
        layers, loss = self._layers(self._parameters()), self._experiment.loss
        x, y = inputs.reshape(-1), loss.columns(np.asarray(target)[None], self._experiment.shape)[0]
        found = backward(layers, loss, x, y)
        about = {"x": digits(x), "y": digits(y), "loss": example_loss(layers, loss, x, y)}
        return {**about, "kind": loss.kind, "layers": [_plain(one) for one in found]}

    def proof(self) -> dict[str, Any]:
        """The gradient three times, as `nnlab backprop` proves it, of the weights as they are.

        Raises:
            MistakeError: the four equations do not hold for this network.
        """
        inputs, target = inputs_of(self._scene.examples, self.row)
        named = dict(self._scene.network.named_parameters())
        on_host = {name: p.detach().cpu() for name, p in named.items()}
        sheet = work_example(self._experiment, inputs, target, parameters=on_host)
        rows = [
            {"name": a.name, "size": a.size, "autograd": a.autograd, "differences": a.differences}
            for a in sheet.agreements
        ]
        return {"rows": rows, "worst": sheet.worst, "agrees": sheet.agrees, "loss": sheet.loss}

    def _parameters(self) -> dict[str, Floats]:
        return {n: copy_to_host(p) for n, p in self._scene.network.named_parameters()}

    def _layers(self, parameters: Mapping[str, Floats]) -> Any:
        return dense_layers(self._experiment.design.placed, parameters)

    def _named(self, target: Any) -> Any:
        shape = self._experiment.shape
        if shape.task == "classes":
            return shape.classes[int(target)] if shape.classes else int(target)
        return np.asarray(target, dtype=np.float64).reshape(-1).tolist()


def inputs_of(examples: Examples, row: int) -> "tuple[Floats, Any]":
    """The scaled inputs of one example, in float64, and its target."""
    inputs = examples.inputs
    stored = inputs[row] if isinstance(inputs, np.ndarray) else inputs.read(row)
    shift, factor = examples.shift.astype(np.float64), examples.factor.astype(np.float64)
    return ((stored.astype(np.float64)[None] - shift) * factor)[0], examples.targets[row]


def _plain(one: Pass) -> dict[str, Any]:
    layer = one.layer
    return {
        "name": layer.name,
        "activation": layer.activation.kind,
        "inputs": digits(one.inputs),
        "z": digits(one.z),
        "a": digits(one.a),
        "delta": digits(one.delta),
        "weight": None if layer.weight is None else [digits(row) for row in layer.weight],
        "bias": None if layer.bias is None else digits(layer.bias),
    }


def digits(values: "Floats | Tensor") -> list[float]:
    """Eight digits of each: more than a screen shows, and half the letters."""
    return [float(f"{value:.8g}") for value in values.tolist()]
