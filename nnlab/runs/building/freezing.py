"""Parameters that stay as they begin, and the norms among them, which stay in evaluation mode."""

from collections.abc import Iterator, Mapping
from typing import final

from torch import nn

from nnlab.experiment.experiment import Experiment
from nnlab.experiment.freezing import trained_shapes


@final
class Freezing:
    """Freezes parts of a network, and lets go of them after so many updates.

    A frozen parameter asks for no gradient, so that no optimizer, decay or clipping meets it. A
    norm whose own parameters are frozen normalizes by its running statistics and leaves them as
    they are; its attribute `frozen` says so to what else sets modes.

    Args:
        network: on its device.
        until: parameter -> after how many updates it is trained; None is never.
    """

    def __init__(self, network: nn.Module, until: Mapping[str, int | None]) -> None:
        named = dict(network.named_parameters())
        self._until = [(named[name], until[name]) for name in until]
        self._norms = [(norm, max(moments)) for norm, moments in _norms(network, until)]
        for parameter, step in self._until:
            # At once: what looks at the network before it trains goes by this.
            parameter.requires_grad_(step is not None and parameter.requires_grad)
        self._moments = frozenset(step for step in until.values() if step is not None)

    def due(self, count: int) -> bool:
        """Whether something is unfrozen after exactly this many updates."""
        return count in self._moments

    def set_at(self, count: int) -> None:
        """Puts the network into the state that it has after so many updates."""
        for parameter, step in self._until:
            parameter.requires_grad_(step is not None and count >= step)
        for norm, step in self._norms:
            frozen = count < step
            norm.frozen = frozen  # pyright: ignore[reportArgumentType] - a module takes any
            # Without a gradient alone its running statistics would still move.
            norm.train(not frozen)


_NEVER = float("inf")


def _norms(
    network: nn.Module, until: Mapping[str, int | None]
) -> Iterator[tuple[nn.Module, list[float]]]:
    """Norms with running statistics whose parameters are all frozen, and until when each is."""
    for name, module in network.named_modules():
        own = [f"{name}.{key}".lstrip(".") for key, _ in module.named_parameters(recurse=False)]
        if own and hasattr(module, "running_mean") and all(key in until for key in own):
            moments = [until[key] for key in own]
            yield module, [_NEVER if step is None else step for step in moments]


def build_freezing(experiment: Experiment, network: nn.Module) -> Freezing | None:
    """What is frozen; a parameter whose group has the rate 0 is not unfrozen by a pattern."""
    until = experiment.frozen
    trained = trained_shapes(experiment.config, experiment.design, until)
    found = {name: step if name in trained else None for name, step in until.items()}
    return Freezing(network, found) if found else None
