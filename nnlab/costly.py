"""What costs as much as many updates and is measured where `log` asks for it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nnlab.base import seed_for
from nnlab.contracts import LossFn
from nnlab.experiment import Experiment
from nnlab.pace import Costly
from nnlab.probing import spread_rows
from nnlab.training.curvature import NOISE_BATCHES, NoiseScale, Objective, Sharpness
from nnlab.training.sources import Source
from nnlab.training.step import Penalty

if TYPE_CHECKING:
    from numpy import int64
    from numpy.typing import NDArray

SHARPNESS_ROWS = 1000


def costly(
    experiment: Experiment,
    rows: "NDArray[int64]",
    *,
    network: nn.Module,
    loss: LossFn,
    penalty: Penalty | None,
    optimizer: torch.optim.Optimizer,
    source: Source,
    rate: Tensor,
    batch: int,
) -> Mapping[Costly, Callable[[], Mapping[str, float]]]:
    """The measures by name; their data are training rows that stay the same for the whole run.

    Args:
        experiment: says which are due, and when.
        rows: of the training split.
        network: that is trained.
        loss: of outputs and their batch.
        penalty: the regularization term.
        optimizer: that trains.
        source: gives the batch of any rows.
        rate: the learning rate of the moment, ().
        batch: examples in a training batch.
    """
    wanted = experiment.pace.costly
    found: dict[Costly, Callable[[], Mapping[str, float]]] = {}
    objective = _objective(network, loss, penalty, source)
    seed = experiment.config.seed_of("init")
    if "sharpness" in wanted:
        kind = experiment.config.optimizer
        own_rates = any("own_lr" in group for group in optimizer.param_groups)
        trained = [p for p in network.parameters() if p.requires_grad]

        def scales() -> list[Tensor] | None:
            each = [kind.scales(optimizer.state.get(p, {})) for p in trained]
            known = [scale for scale in each if scale is not None]
            return known if len(known) == len(trained) else None

        found["sharpness"] = Sharpness(
            network,
            objective,
            spread_rows(rows, SHARPNESS_ROWS).to(rate.device),
            edge=lambda: None if own_rates or not float(rate) else kind.edge(float(rate)),
            scales=scales,
            seed=seed_for(seed, "sharpness"),
        )
    if "noise_scale" in wanted:
        count = min(NOISE_BATCHES, len(rows) // batch)
        generator = torch.Generator().manual_seed(seed_for(seed, "noise_scale"))
        drawn = torch.randperm(len(rows), generator=generator)[: count * batch]
        chosen = torch.from_numpy(rows)[drawn].to(rate.device)
        found["noise_scale"] = NoiseScale(network, objective, chosen.split(batch))
    return found


def _objective(
    network: nn.Module, loss: LossFn, penalty: Penalty | None, source: Source
) -> Objective:
    """What training minimizes, of rows as they are stored: without augmentation and dropout."""

    def objective(rows: Tensor) -> Tensor:
        batch = source.gather(rows)
        value = loss(network(batch.inputs), batch).mean()
        return value if penalty is None else value + penalty()

    return objective
