from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import nn, optim

from nnlab.choices import kinds_of
from nnlab.parts.optimizers import (
    AdagradConfig,
    AdamConfig,
    AdamwConfig,
    Optimizer,
    OptimizerConfig,
    RmspropConfig,
    SgdConfig,
)

Array = NDArray[np.float64]
Weights = dict[str, Array]

DEFAULTS: list[Any] = [kind.example() for kind in kinds_of(Optimizer).values()]
VARIANTS: list[OptimizerConfig] = [
    SgdConfig(weight_decay=0.1),
    SgdConfig(lr=0.1, momentum=0.9),
    SgdConfig(momentum=0.9, dampening=0.5, weight_decay=0.1, decay="all"),
    SgdConfig(momentum=0.8, nesterov=True),
    AdagradConfig(lr_decay=0.1, initial_accumulator_value=0.5, weight_decay=0.1),
    RmspropConfig(momentum=0.9, weight_decay=0.1),
    RmspropConfig(centered=True, alpha=0.9),
    AdamConfig(weight_decay=0.1, decay="all", betas=(0.8, 0.9)),
    AdamConfig(amsgrad=True),
    AdamwConfig(weight_decay=0.5, decay="all"),
    AdamwConfig(amsgrad=True),
]
CONFIGS = [*DEFAULTS, *VARIANTS]
FUSED = [config for config in CONFIGS if config.lr_in_tensor]
STEPS = 6


def named(dtype: torch.dtype = torch.float64) -> list[tuple[str, nn.Parameter]]:
    generator = torch.Generator().manual_seed(0)
    shapes = {"hidden1.weight": (3, 4), "hidden1.bias": (3,), "conv1.weight": (2, 1, 3, 3)}
    return [
        (name, nn.Parameter(torch.randn(shape, generator=generator).to(dtype)))
        for name, shape in shapes.items()
    ]


def gradients(step: int, parameters: list[tuple[str, nn.Parameter]]) -> None:
    generator = torch.Generator().manual_seed(100 + step)
    for _, p in parameters:
        # Falling, so that amsgrad's greatest mean is not the newest.
        p.grad = (torch.randn(p.shape, generator=generator) / (step + 1)).to(p.dtype)


def trained(
    config: OptimizerConfig, lr: Callable[[int], float], *, dtype: torch.dtype = torch.float64
) -> list[torch.Tensor]:
    """Weights after some updates, the rate set before each as the step does it."""
    parameters = named(dtype)
    rate = torch.tensor(config.lr, dtype=torch.float64)
    optimizer = config.build(parameters, lr=rate)
    for step in range(STEPS):
        gradients(step, parameters)
        rate.fill_(lr(step))
        if not config.lr_in_tensor:
            for group in optimizer.param_groups:
                group["lr"] = lr(step)
        optimizer.step()
    return [p.detach() for _, p in parameters]


def by_formula(config: OptimizerConfig) -> list[Array]:
    """The papers' formulas, one weight array after the other."""
    parameters = named()
    result: list[Array] = []
    for index, (_, parameter) in enumerate(parameters):
        w = parameter.detach().numpy().copy()
        decays = config.decay == "all" or w.ndim >= 2
        state: Weights = {}
        for step in range(STEPS):
            gradients(step, parameters)
            gradient = parameters[index][1].grad
            assert gradient is not None
            g = gradient.numpy().copy()
            if decays and isinstance(config, AdamwConfig):
                w = w - config.lr * config.weight_decay * w
            elif decays:
                g = g + config.weight_decay * w
            w = w - update(config, g, state, step + 1)
        result.append(w)
    return result


def update(config: OptimizerConfig, g: Array, state: Weights, t: int) -> Array:
    match config:
        case SgdConfig():
            momentum = config.momentum
            v = momentum * state["v"] + (1 - config.dampening) * g if t > 1 else g
            state["v"] = v
            return config.lr * (g + momentum * v if config.nesterov else v)
        case AdagradConfig():
            s = state.get("s", config.initial_accumulator_value + 0 * g) + g**2
            state["s"] = s
            return config.lr / (1 + (t - 1) * config.lr_decay) * g / (np.sqrt(s) + config.eps)
        case RmspropConfig():
            s = config.alpha * state.get("s", 0 * g) + (1 - config.alpha) * g**2
            m = config.alpha * state.get("m", 0 * g) + (1 - config.alpha) * g
            spread = s - m**2 if config.centered else s
            v = config.momentum * state.get("v", 0 * g) + g / (np.sqrt(spread) + config.eps)
            state.update(s=s, m=m, v=v)
            return config.lr * v
        case AdamConfig() | AdamwConfig():
            b1, b2 = config.betas
            m = b1 * state.get("m", 0 * g) + (1 - b1) * g
            s = b2 * state.get("s", 0 * g) + (1 - b2) * g**2
            top = np.maximum(state.get("top", 0 * g), s)
            state.update(m=m, s=s, top=top)
            corrected = (top if config.amsgrad else s) / (1 - b2**t)
            return config.lr * m / (1 - b1**t) / (np.sqrt(corrected) + config.eps)
        case _:
            raise AssertionError(f"no formula for {config.kind}")


def plain(config: OptimizerConfig, groups: Any, **how: bool) -> optim.Optimizer:
    """torch.optim with a float rate; our field names are its argument names."""
    classes: dict[str, Any] = {
        "sgd": optim.SGD,
        "adagrad": optim.Adagrad,
        "rmsprop": optim.RMSprop,
        "adam": optim.Adam,
        "adamw": optim.AdamW,
    }
    return classes[config.kind](groups, **config.model_dump(exclude={"kind", "decay"}), **how)


def run_plain(config: OptimizerConfig, dtype: torch.dtype, **how: bool) -> list[torch.Tensor]:
    parameters = named(dtype)
    decays = [p for _, p in parameters if p.ndim >= 2 or config.decay == "all"]
    others = [p for _, p in parameters if p.ndim < 2 and config.decay == "weights"]
    groups = [{"params": decays}, {"params": others, "weight_decay": 0.0}]
    optimizer = plain(config, [group for group in groups if group["params"]], **how)
    for step in range(STEPS):
        gradients(step, parameters)
        optimizer.step()
    return [p.detach() for _, p in parameters]


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
class TestEveryOptimizer:
    def test_follows_the_formula_of_its_paper(self, config: OptimizerConfig) -> None:
        ours = trained(config, lambda _: config.lr)
        for w, expected in zip(ours, by_formula(config), strict=True):
            np.testing.assert_allclose(w.numpy(), expected, rtol=1e-6, atol=1e-9)

    def test_agrees_with_the_plain_loop_of_torch(self, config: OptimizerConfig) -> None:
        ours = trained(config, lambda _: config.lr)
        torch.testing.assert_close(ours, run_plain(config, torch.float64, foreach=False))

    def test_sees_a_rate_that_changes_between_updates(self, config: OptimizerConfig) -> None:
        once = trained(config, lambda step: 0.0 if step else config.lr)
        parameters = named()
        optimizer = config.build(parameters, lr=config.lr)
        gradients(0, parameters)
        optimizer.step()
        # Every update, momentum and all, is multiplied by the rate: with 0 only the first counts.
        torch.testing.assert_close(once, [p.detach() for _, p in parameters])

    def test_every_parameter_is_in_one_group(self, config: OptimizerConfig) -> None:
        parameters = named()
        groups = config.build(parameters, lr=config.lr).param_groups
        held = [id(p) for group in groups for p in group["params"]]
        assert sorted(held) == sorted(id(p) for _, p in parameters)

    def test_decay_falls_on_weights_alone_unless_said(self, config: OptimizerConfig) -> None:
        for group in config.build(named(), lr=config.lr).param_groups:
            for p in group["params"]:
                falls = config.decay == "all" or p.ndim >= 2
                assert group["weight_decay"] == (config.weight_decay if falls else 0.0)


@pytest.mark.parametrize("config", FUSED, ids=repr)
def test_rate_in_a_double_tensor_gives_the_bits_of_a_float(config: OptimizerConfig) -> None:
    ours = trained(config, lambda _: config.lr, dtype=torch.float32)
    expected = run_plain(config, torch.float32, fused=True)
    assert all(torch.equal(a, b) for a, b in zip(ours, expected, strict=True))


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_group_holds_the_tensor_where_it_is_read_and_else_a_float(config: OptimizerConfig) -> None:
    rate = torch.tensor(config.lr, dtype=torch.float64)
    for group in config.build(named(), lr=rate).param_groups:
        assert group["lr"] is rate if config.lr_in_tensor else isinstance(group["lr"], float)


@pytest.mark.parametrize(
    "wrong",
    [{"nesterov": True}, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}],
)
def test_nesterov_needs_momentum_and_no_dampening(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="nesterov needs"):
        SgdConfig.model_validate(wrong)


@pytest.mark.parametrize("lr", [0.0, -0.1, float("inf"), "0.1", True])
def test_refuses_a_rate_that_is_no_positive_number(lr: object) -> None:
    with pytest.raises(ValidationError):
        AdamConfig.model_validate({"lr": lr})


def test_defaults_of_adam_are_those_of_the_paper() -> None:
    # Kingma & Ba, arXiv:1412.6980, algorithm 1.
    config = AdamConfig()
    assert (config.lr, config.betas, config.eps) == (0.001, (0.9, 0.999), 1e-8)
