"""The step of `rule: none`: it measures and changes nothing."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from nnlab.core.contracts import Batch
from nnlab.rules.rule_step import RuleStep
from nnlab.training.step import Conclusion, Parts

_SHOWN = 16
"""A table of so many rows is shown whole: all of four bits."""


@final
class FixedStep(RuleStep):
    """One pass over the data measures all there is."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self._epochs = torch.zeros((), dtype=torch.int64)

    def learn(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Nothing."""
        outputs = self.network(batch.inputs)
        return outputs, self.loss(outputs, batch)

    def readings(self) -> dict[str, Tensor]:
        """None."""
        return {}

    def memory(self) -> dict[str, Tensor]:
        """The epochs seen."""
        return {"epochs": self._epochs}

    def end_epoch(self) -> None:
        """Counts it."""
        self._epochs += 1

    def finished(self) -> str | None:
        """After the first epoch."""
        return "nothing learns, and one pass has measured all" if int(self._epochs) else None

    @torch.no_grad()
    def conclude(self, batches: Sequence[Tensor]) -> Conclusion:
        """What the network makes of each row, where there are few: a truth table."""
        if len(batches) != 1 or len(batches[0]) > _SHOWN:
            return Conclusion()
        batch = self.source.gather(batches[0].sort().values)
        inputs = batch.inputs.flatten(1)
        if inputs.shape[1] > 4:
            return Conclusion()
        outputs = self.network(batch.inputs)
        if batch.targets.is_floating_point():
            wanted, found = batch.targets.tolist(), outputs.tolist()
        elif outputs.shape[1] == 1:
            wanted, found = batch.targets[:, None].tolist(), (outputs > 0).long().tolist()
        else:
            wanted, found = batch.targets[:, None].tolist(), outputs.argmax(1)[:, None].tolist()
        rows = zip(inputs.tolist(), found, wanted, strict=True)
        lines = [f"{_row(x)} -> {_row(y)}{_wrong(y, t)}" for x, y, t in rows]
        return Conclusion(tuple(lines))


def _row(numbers: Sequence[float]) -> str:
    return " ".join(f"{number:.4g}" for number in numbers)


def _wrong(found: Sequence[float], wanted: Sequence[float]) -> str:
    return "" if _row(found) == _row(wanted) else f"  (wanted {_row(wanted)})"
