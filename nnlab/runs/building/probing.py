"""What a run probes inside its network: which layers, on which examples, under which names."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nnlab.core.contracts import Examples, LossFn, Seen, Split
from nnlab.core.seeds import seed_for
from nnlab.experiment.experiment import Experiment
from nnlab.training.evaluate import EVALUATION_ELEMENTS
from nnlab.training.loop import BESIDE
from nnlab.training.pace import Costly
from nnlab.training.probes.attention import probe_attention
from nnlab.training.probes.curvature import NOISE_BATCHES, NoiseScale, Objective, Sharpness
from nnlab.training.probes.probes import Entropy, Probes
from nnlab.training.probes.sight import Sight
from nnlab.training.probes.through_time import probe_time
from nnlab.training.sources import RowSource
from nnlab.training.step import Parts
from nnlab.training.streams import StreamedSource
from nnlab.training.window import flat_places

PROBE_ROWS = 256
"""So many validation examples show the activations of a run."""


def build_probes(
    experiment: Experiment,
    examples: Examples,
    network: nn.Module,
    source: RowSource,
    device: torch.device,
    loss: LossFn,
) -> Probes | None:
    """What probes the network, on examples of the validation split if there is one.

    Args:
        experiment: settled; its pace says when a reading is a full probe.
        examples: the data.
        network: of the run; it is looked at, never changed.
        source: gives the batch of any rows, on `device`.
        device: where the network is.
        loss: (N,) losses of a batch.

    Returns:
        None where the config asks for no probes.
    """
    if experiment.pace.probes is None:
        return None
    sizes = experiment.shape.sizes
    split: Split = "validation" if "validation" in sizes else "train"
    sight = Sight(network, experiment.design.layers)
    # Gathered once, at the first probe: the rows stay the same for the whole run.
    inputs = cache(lambda: source.gather(probe_rows(examples, split).to(device)).inputs)
    return Probes(
        sight,
        run=lambda: flat_places(network(inputs())),
        entropy=_entropy(experiment),
        time=_together(
            _through_time(experiment, examples, network, source, loss, split, device),
            _attention(experiment, examples, network, source, split, device),
        ),
        # Rows that are read one by one would have to be read once more.
        batches=1 if isinstance(source, StreamedSource) else BESIDE,
    )


_LooksInside = Callable[[], dict[str, Tensor]]


def _together(*looks: "_LooksInside | None") -> "_LooksInside | None":
    """All of them, one after the other; None where there are none."""
    some = [look for look in looks if look is not None]
    return (lambda: {key: each for look in some for key, each in look().items()}) if some else None


def _attention(
    experiment: Experiment,
    examples: Examples,
    network: nn.Module,
    source: RowSource,
    split: Split,
    device: torch.device,
) -> "_LooksInside | None":
    """The readings of attention; None where there is none, or no gradient is followed."""
    layers = experiment.design.layers
    if not layers.attention or not experiment.config.rule.optimized:
        return None
    keys = {layers.seen[key].layer: key for key in layers.attention}
    rows = spread_rows(examples.rows[split], TIME_ROWS).to(device)
    inputs = cache(lambda: source.gather(rows).inputs)
    return lambda: probe_attention(network, keys, lambda: network(inputs()))


TIME_ROWS = 16
"""So many examples show the gradient through time, and what attention looks at."""


def _through_time(
    experiment: Experiment,
    examples: Examples,
    network: nn.Module,
    source: RowSource,
    loss: LossFn,
    split: Split,
    device: torch.device,
) -> "Callable[[], dict[str, Tensor]] | None":
    """The readings of recurrent layers; None where there are none, or no gradient is followed."""
    layers = experiment.design.layers
    if not layers.recurrent or not experiment.config.rule.optimized:
        return None
    keys = {layers.seen[key].layer: key for key in layers.recurrent}
    rows = spread_rows(examples.rows[split], TIME_ROWS).to(device)
    last_loss = loss_of_last_answers(experiment, network, source, loss, rows)
    return lambda: probe_time(network, keys, last_loss)


def loss_of_last_answers(
    experiment: Experiment, network: nn.Module, source: RowSource, loss: LossFn, rows: Tensor
) -> Callable[[], Tensor]:
    """The mean loss () of the last answers of a few examples, as it is when it is called.

    Of the last step alone, where every step has an answer: else each has a loss of its own beside
    what comes back from later ones.

    Args:
        experiment: settled.
        network: that is trained.
        source: of rows, where the network is.
        loss: that it is trained with.
        rows: (N,) the examples.
    """
    places = experiment.shape.answers
    batch = cache(lambda: source.gather(rows))

    def last_loss() -> Tensor:
        whole = batch()
        outputs = flat_places(network(whole.inputs))
        if places > 1:
            outputs, targets = outputs[places - 1 :: places], whole.targets[places - 1 :: places]
            whole = whole._replace(targets=targets)
        return loss(outputs, whole).mean()

    return last_loss


def seen_of(experiment: Experiment) -> Sequence[Seen] | None:
    """The layers that full probes see, from input to output; None where there are none."""
    if experiment.pace.probes is None:
        return None
    return tuple(experiment.design.layers.seen.values())


def probe_rows(examples: Examples, split: Split) -> Tensor:
    """Rows of a split at equal distances, as many as an evaluation batch has room for."""
    most = max(1, min(PROBE_ROWS, EVALUATION_ELEMENTS // prod(examples.shape.inputs)))
    return spread_rows(examples.rows[split], most)


def _entropy(experiment: Experiment) -> Entropy | None:
    """Of the class probabilities, in nats; None where outputs are no distribution."""
    if experiment.shape.task != "classes" or experiment.config.rule.own_loss is not None:
        return None
    activation = experiment.config.model.output.activation
    if isinstance(activation, str):
        return None
    shares = experiment.loss.probabilities_behind(activation.kind)
    if shares is None:
        return None

    def entropy(outputs: Tensor) -> Tensor:
        return torch.special.entr(shares(outputs)).sum(1)

    return entropy


def spread_rows(rows: NDArray[np.int64], most: int) -> Tensor:
    """At most so many of N rows, at equal distances."""
    count = min(most, len(rows))
    return torch.from_numpy(rows[np.arange(count) * len(rows) // count])


SHARPNESS_ROWS = 1000
"""So many training examples show the sharpness of the objective."""


def costly_measures(
    experiment: Experiment, rows: NDArray[np.int64], parts: Parts
) -> Mapping[Costly, Callable[[], Mapping[str, float]]]:
    """The measures by name; their data are training rows that stay the same for the whole run.

    Args:
        experiment: says which are due, and when.
        rows: of the training split.
        parts: what is trained. A rule without an optimizer has no measures.
    """
    if parts.optimizer is None:
        return {}
    wanted = experiment.pace.costly
    found: dict[Costly, Callable[[], Mapping[str, float]]] = {}
    if "sharpness" in wanted:
        found["sharpness"] = _sharpness(experiment, rows, parts, parts.optimizer)
    if "noise_scale" in wanted:
        found["noise_scale"] = _noise_scale(experiment, rows, parts)
    return found


def _sharpness(
    experiment: Experiment,
    rows: NDArray[np.int64],
    parts: Parts,
    optimizer: torch.optim.Optimizer,
) -> Sharpness:
    kind, rate = experiment.config.optimizer, parts.learning_rate
    # With a rate of its own in some group there is no one edge for the whole network.
    own_rates = any("own_lr" in group for group in optimizer.param_groups)
    trained = [p for p in parts.network.parameters() if p.requires_grad]

    def scales() -> list[Tensor] | None:
        each = [kind.scales(optimizer.state.get(p, {})) for p in trained]
        known = [scale for scale in each if scale is not None]
        return known if len(known) == len(trained) else None

    return Sharpness(
        parts.network,
        _objective(parts),
        spread_rows(rows, SHARPNESS_ROWS).to(rate.device),
        edge=lambda: None if own_rates or not float(rate) else kind.edge(float(rate)),
        scales=scales,
        seed=seed_for(experiment.config.seed_of("init"), "sharpness"),
    )


def _noise_scale(experiment: Experiment, rows: NDArray[np.int64], parts: Parts) -> NoiseScale:
    # Two batches of one size at least, also where an epoch has one and a shorter last one: what is
    # estimated is the same for every size.
    batch = min(experiment.batch_size, len(rows) // 2)
    count = min(NOISE_BATCHES, len(rows) // batch)
    seed = seed_for(experiment.config.seed_of("init"), "noise_scale")
    drawn = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed))
    chosen = torch.from_numpy(rows)[drawn[: count * batch]].to(parts.learning_rate.device)
    return NoiseScale(parts.network, _objective(parts), chosen.split(batch))


def _objective(parts: Parts) -> Objective:
    """What training minimizes, of rows as they are stored: without augmentation and dropout."""

    def objective(rows: Tensor) -> Tensor:
        batch = parts.source.gather(rows)
        value = parts.loss(flat_places(parts.network(batch.inputs)), batch).mean()
        return value if parts.penalty is None else value + parts.penalty()

    return objective
