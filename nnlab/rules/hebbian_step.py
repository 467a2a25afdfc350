"""The step of Hebb's, Oja's and Sanger's rules."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from nnlab.core.contracts import Batch
from nnlab.rules.rule_step import RuleStep
from nnlab.training.step import Conclusion, Parts

# N batch, d inputs, K components: x_Nd, y_NK, W_Kd


@final
class HebbianStep(RuleStep):
    """W + lr (y x' - LT(y y') W), mean over the batch; without the second term it is Hebb's.

    LT keeps the lower triangle with the diagonal: each component sees what those before it have
    left. With K = 1 it is Oja's rule.

    Args:
        parts: what it is made of.
        bounded: whether there is the second term.
    """

    def __init__(self, parts: Parts, *, bounded: bool) -> None:
        super().__init__(parts)
        self._bounded = bounded
        layer = self.network.get_submodule("output")
        assert isinstance(layer, nn.Linear)
        self._weight = layer.weight.detach()
        self._before = self._weight.clone()

    def learn(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """One update with the mean of the batch."""
        x_Nd = batch.inputs.flatten(1)  # noqa: N806 - shapes
        y_NK = x_Nd @ self._weight.T  # noqa: N806
        losses = self.loss(y_NK, batch)
        change = y_NK.T @ x_Nd
        if self._bounded:
            change -= (y_NK.T @ y_NK).tril() @ self._weight
        self._weight.add_(self.rate * (change / len(x_Nd)))
        return y_NK, losses

    def readings(self) -> dict[str, Tensor]:
        """Norm of each component's weights, and the degrees they turned since the last reading."""
        norms, turned = self._weight.norm(dim=1), angles_between(self._weight, self._before)
        self._before.copy_(self._weight)
        numbers = range(len(norms))
        return {f"weight_norm/{k + 1}": norms[k] for k in numbers} | {
            f"turned/{k + 1}": turned[k] for k in numbers
        }

    def memory(self) -> dict[str, Tensor]:
        """The weights at the last reading."""
        return {"before": self._before}

    def end_epoch(self) -> None:
        """Nothing ends with an epoch."""

    def finished(self) -> str | None:
        """Never: the rule goes on as long as there are inputs."""
        return None

    @torch.no_grad()
    def conclude(self, batches: Sequence[Tensor]) -> Conclusion:
        """Norm and explained variance of each component."""
        weight = self._weight.detach().cpu().double()
        total, along = 0.0, torch.zeros(len(weight), dtype=torch.float64)
        for rows in batches:
            inputs = self.source.gather(rows).inputs.flatten(1).cpu().double()
            total += float(inputs.square().sum())
            along += (inputs @ weight.T).square().sum(dim=0)
        norms = weight.norm(dim=1)
        shares = (along / norms.square() / total).tolist() if total else [0.0] * len(weight)
        lines: list[str] = []
        numbers: dict[str, float] = {}
        for number, (norm, share) in enumerate(zip(norms.tolist(), shares, strict=True), 1):
            lines.append(f"component {number}: norm {norm:.4f}, {share:.1%} of the variance")
            numbers |= {f"norm/{number}": norm, f"variance/{number}": share}
        return Conclusion(tuple(lines[:_SHOWN]), numbers)


_SHOWN = 10
"""The most components that get a line of the summary."""


def angles_between(first: Tensor, second: Tensor) -> Tensor:
    """(K,) degrees between the rows of two (K, d), by the chord: exact for small ones too."""
    a, b = (nn.functional.normalize(rows, dim=1) for rows in (first, second))
    return torch.rad2deg(2.0 * torch.atan2((a - b).norm(dim=1), (a + b).norm(dim=1)))
