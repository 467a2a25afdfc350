"""The best network of a run as one module from rows as they are stored to answers."""

from typing import Any, final

import torch
from torch import Tensor, nn

from nnlab.experiment.experiment import Experiment
from nnlab.runs.finished.predict import Predictor, is_far_from_zero


@final
class AnsweringNetwork(nn.Module):
    """A network with what stands before and behind it: scaling, and the meaning of its outputs.

    `nnlab predict` scales rows and reads outputs outside the network; here all of it is in one
    graph, for whoever exports or explains a network as a whole. In evaluation mode it gives the
    numbers of `nnlab predict`.

    Attributes:
        answer: what it gives: "probabilities" (N, K) of the classes; "outputs" (N, K) of a
            classifier whose loss gives them no such meaning; "predictions" (N, K) of a regression,
            in the targets' own unit.
        example: (2, *shape) rows as they are stored, of the type that it takes: uint8 of images,
            int64 of tokens, float64 where a large offset is taken off before rounding, else
            float32.
    """

    _base: Tensor | None
    _fill: Tensor | None
    _shift: Tensor
    _factor: Tensor
    _mean: Tensor | None
    _deviation: Tensor | None

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        known, experiment = predictor.known, predictor.experiment
        self.network = predictor.network
        self._experiment = experiment
        self._dtype = next(self.network.parameters()).dtype
        for name in ("base", "fill", "shift", "factor"):
            value, dtype = known.get(name), torch.float64 if name == "base" else torch.float32
            self._keep(name, value, dtype)
        self._place_target(known.get("target"))
        self.answer = _answer_of(experiment)
        kind = torch.float64 if known.get("base") is not None else torch.float32
        kind = torch.uint8 if known.get("peak") is not None else kind
        kind = torch.int64 if experiment.shape.tokens else kind
        self.example = torch.zeros((2, *known["inputs"]), dtype=kind)
        # It is never trained: what is exported can be asked with and without torch.no_grad.
        self.eval().requires_grad_(False)

    def forward(self, inputs: Tensor) -> Tensor:
        """Answers (N, K), or (N, *places, K), for rows (N, *shape) as they are stored."""
        return self._at_places(self.network(self._seen(inputs)))

    def _at_places(self, outputs: Tensor) -> Tensor:
        """What outputs mean, place by place where a row has several answers."""
        if not (places := self._experiment.shape.places):
            return self._told(outputs)
        return self._told(outputs.flatten(0, -2)).unflatten(0, (-1, *places))

    def _seen(self, inputs: Tensor) -> Tensor:
        """What the network sees of stored rows."""
        if self._experiment.shape.tokens:
            return inputs.long()
        rows = inputs if self._base is None else inputs.double() - self._base
        rows = rows.float()
        if self._fill is not None:
            rows = torch.where(rows.isnan(), self._fill, rows)
        rows = rows.to(self._dtype)
        return (rows - self._shift.to(rows.dtype)) * self._factor.to(rows.dtype)

    def _told(self, outputs: Tensor) -> Tensor:
        loss = self._experiment.loss
        if self.answer == "outputs":
            return outputs
        if self.answer == "probabilities":
            found = loss.probabilities(outputs)
            assert found is not None
            return found
        numbers = loss.predictions(outputs)
        if self._mean is None or self._deviation is None:
            return numbers
        numbers = numbers.to(torch.promote_types(numbers.dtype, self._mean.dtype))
        return numbers * self._deviation.to(numbers.dtype) + self._mean.to(numbers.dtype)

    def _place_target(self, target: dict[str, Any] | None) -> None:
        """The scale of the targets; in float64 where float32 would merge predictions."""
        wide = target is not None and is_far_from_zero(target)
        dtype = torch.float64 if wide else torch.float32
        for name in ("mean", "deviation"):
            self._keep(name, None if target is None else target[name], dtype)

    def _keep(self, name: str, value: Any, dtype: torch.dtype) -> None:
        """A constant of the graph, or None: as a buffer that is None torch.export (2.15) fails."""
        if value is None:
            setattr(self, f"_{name}", None)
        else:
            self.register_buffer(f"_{name}", torch.tensor(value, dtype=dtype), persistent=False)


def _answer_of(experiment: Experiment) -> str:
    if experiment.shape.task == "regression":
        return "predictions"
    width = experiment.loss.outputs(experiment.shape)
    known = experiment.loss.probabilities(torch.zeros(1, width))
    return "outputs" if known is None else "probabilities"
