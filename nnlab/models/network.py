"""From a design to a network of torch modules with its first weights."""

from collections.abc import Callable, Collection, Mapping

import torch
from torch import Tensor, nn

from nnlab.core.contracts import flat_plans
from nnlab.core.seeds import seed_for
from nnlab.models.family import Design
from nnlab.parts.containers import Stack
from nnlab.parts.layers.family import Fill
from nnlab.parts.layers.recurrent_modules import Recurrent
from nnlab.parts.modules import LastStep, Masking, MeanOverTime, TiedOutput
from nnlab.training.probes.no_trace import without_side_effects


def assemble(design: Design) -> Stack:
    """The modules of a design; the weights are torch's own, which mean nothing here."""
    modules: dict[str, nn.Module] = {}
    for placed, plan in zip(design.placed, design.plans, strict=True):
        for suffix, module in placed.config.build(plan.inputs).items():
            modules[placed.name + suffix] = module
            if isinstance(module, TiedOutput):
                module.tie(modules[design.placed[0].name])
    first = next(iter(modules.values()), None)
    if isinstance(first, Masking):
        for module in modules.values():
            if isinstance(module, LastStep | MeanOverTime | Recurrent):
                module.ends = first.ends
    return Stack(modules)


def build_network(design: Design, *, seed: int) -> nn.Module:
    """The network on the CPU in float32, initialized; a module of the user's own as it is.

    Each parameter is drawn from a stream of its own (seed, its name), so that a change in one layer
    does not move the first weights of another. torch's default generator is not touched.
    """
    if design.module is not None:
        return design.module
    # Not on the meta device: what torch imports for that takes longer than drawing twice.
    state = torch.get_rng_state()
    try:
        network = assemble(design)
    finally:
        torch.set_rng_state(state)
    parameters = dict(network.named_parameters())
    _check_planned(parameters, design)
    for name, fill in initial_fills(design).items():
        generator = torch.Generator().manual_seed(seed_for(seed, f"init/{name}"))
        fill.begin(parameters[name], generator)
    return network


def _check_planned(parameters: Mapping[str, Tensor], design: Design) -> None:
    """Holds what was built against the plan, by which everything else counts and labels.

    Raises:
        TypeError: they differ, which a class from outside may do.
    """
    planned = {
        name: shape for plan in flat_plans(design.plans) for name, shape in plan.parameters.items()
    }
    built = {name: tuple(parameter.shape) for name, parameter in parameters.items()}
    for name in sorted({*planned, *built}):
        there, meant = built.get(name, "nothing"), planned.get(name, "nothing")
        if there != meant:
            way = "plan() of a layer, parameters() of an activation must say what build() makes"
            raise TypeError(f"{name}: is {there}, the plan says {meant} ({way})")


def initial_fills(design: Design) -> dict[str, Fill]:
    """How each weight and bias begins, by full name; nothing of a module of the user's own."""
    if design.module is not None:
        return {}
    return {
        f"{placed.name}.{key}": fill
        for placed, plan in zip(design.placed, design.plans, strict=True)
        for key, fill in placed.config.fills(plan.inputs).items()
    }


@torch.no_grad()
def calibrate_weights(
    network: nn.Module,
    design: Design,
    inputs: Callable[[], Tensor],
    *,
    loaded: Collection[str] = (),
) -> None:
    """Finishes the first weights of those initializers that look at data (LSUV), layer by layer.

    The same network and inputs give the same weights; no generator is touched, and buffers stay as
    they were. A network whose weights come from a checkpoint does not need it.

    Args:
        network: built from `design`, wherever it trains.
        design: says which layers have such an initializer.
        inputs: (N, *shape) scaled training examples; asked for only if there is such a layer.
        loaded: parameters that have their first weights from elsewhere.
    """
    fills = initial_fills(design).items()
    todo = {name: f.init for name, f in fills if f.init.calibrated and name not in loaded}
    if not todo:
        return
    examples = inputs()
    with without_side_effects(network):
        for name, init in todo.items():
            module = network.get_submodule(name.rpartition(".")[0])
            weight = network.get_parameter(name)
            init.calibrate(weight, lambda module=module: _outputs(network, module, examples))


def _outputs(network: nn.Module, module: nn.Module, inputs: Tensor) -> Tensor:
    """What a module inside a network puts out when the network sees these inputs."""
    seen: list[Tensor] = []

    def keep(_: nn.Module, __: object, output: Tensor) -> None:
        seen.append(output)

    hook = module.register_forward_hook(keep)
    try:
        network(inputs)
    finally:
        hook.remove()
    return seen[0]
