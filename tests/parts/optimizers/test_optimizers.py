"""Every optimizer, step by step, against torch.optim and against the formula of its paper."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import nn, optim

from nnlab.core.kinds import kinds_of
from nnlab.parts.optimizers import Optimizer
from nnlab.parts.optimizers.adam import (
    AdamaxConfig,
    AdamConfig,
    AdamwConfig,
    NadamConfig,
    RadamConfig,
)
from nnlab.parts.optimizers.adaptive import (
    AdadeltaConfig,
    AdafactorConfig,
    AdagradConfig,
    RmspropConfig,
)
from nnlab.parts.optimizers.descent import AsgdConfig, RpropConfig, SgdConfig
from nnlab.parts.optimizers.family import At, DecayingConfig, GroupedConfig
from nnlab.parts.optimizers.muon import MuonConfig
from nnlab.training.eager_step import load_optimizer_state, optimizer_state

Array = NDArray[np.float64]
Weights = dict[str, Array]

# L-BFGS, which needs the loss itself, has tests of its own.
DEFAULTS: list[Any] = [k.example() for k in kinds_of(Optimizer).values() if k.name() != "lbfgs"]
VARIANTS: list[Any] = [
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
    AdamaxConfig(weight_decay=0.1, betas=(0.8, 0.9)),
    NadamConfig(weight_decay=0.1, momentum_decay=0.1),
    NadamConfig(weight_decay=0.1, decoupled_weight_decay=True),
    # With b2 = 0.9 the mean is long enough (rho > 5) from the sixth update on.
    RadamConfig(weight_decay=0.1, betas=(0.9, 0.9)),
    RadamConfig(weight_decay=0.1, betas=(0.9, 0.9), decoupled_weight_decay=True),
    AdadeltaConfig(lr=0.5, rho=0.8, weight_decay=0.1),
    AdafactorConfig(weight_decay=0.1, lr=0.5, beta2_decay=-0.5),
    AsgdConfig(t0=2, lambd=0.1, weight_decay=0.1),
    RpropConfig(lr=0.1, etas=(0.3, 1.5), step_sizes=(0.01, 0.2)),
    MuonConfig(adjust_lr="original", nesterov=False, lr=0.1, weight_decay=0.0),
]
CONFIGS = [*DEFAULTS, *VARIANTS]
# adafactor is not torch's own; of muon only a part is fused.
KERNELS = [c for c in CONFIGS if c.lr_in_tensor and c.kind not in ("adafactor", "muon")]
FORMULAS = [config for config in CONFIGS if config.kind != "muon"]
STEPS = 8


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
    config: GroupedConfig, lr: Callable[[int], float], *, dtype: torch.dtype = torch.float64
) -> list[torch.Tensor]:
    """Weights after some updates, the rate set before each as the step does it."""
    parameters = named(dtype)
    rate = torch.tensor(config.lr, dtype=torch.float64)
    optimizer = config.build(parameters, lr=rate)
    for step in range(STEPS):
        gradients(step, parameters)
        rate.fill_(lr(step))
        for group in optimizer.param_groups:
            if not isinstance(group["lr"], torch.Tensor):
                group["lr"] = lr(step)
        optimizer.step()
    return [p.detach() for _, p in parameters]


def by_formula(config: GroupedConfig) -> list[Array]:
    """The papers' formulas, one weight array after the other."""
    parameters = named()
    result: list[Array] = []
    for index, (_, parameter) in enumerate(parameters):
        w = parameter.detach().numpy().copy()
        decays = falls_on(config, parameter)
        state: Weights = {}
        for step in range(STEPS):
            gradients(step, parameters)
            gradient = parameters[index][1].grad
            assert gradient is not None
            g = gradient.numpy().copy()
            if decays and decoupled(config):
                w = w - config.lr * decays * w
            elif decays:
                g = g + decays * w
            w = w - update(config, w, g, state, step + 1)
        result.append(w)
    return result


def falls_on(config: GroupedConfig, parameter: torch.Tensor) -> float:
    """The weight decay of a parameter, 0 for none."""
    if not isinstance(config, DecayingConfig):
        return 0.0
    return config.weight_decay if config.decay == "all" or parameter.ndim >= 2 else 0.0


def decoupled(config: GroupedConfig) -> bool:
    return config.kind in ("adamw", "adafactor") or getattr(config, "decoupled_weight_decay", False)


def update(config: GroupedConfig, w: Array, g: Array, state: Weights, t: int) -> Array:
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
            return later_update(config, w, g, state, t)


def later_update(config: GroupedConfig, w: Array, g: Array, state: Weights, t: int) -> Array:
    match config:
        case AdamaxConfig():
            b1, b2 = config.betas
            m = b1 * state.get("m", 0 * g) + (1 - b1) * g
            u = np.maximum(b2 * state.get("u", 0 * g), abs(g) + config.eps)
            state.update(m=m, u=u)
            return config.lr / (1 - b1**t) * m / u
        case NadamConfig():
            b1, b2 = config.betas
            now, ahead = (b1 * (1 - 0.96 ** (s * config.momentum_decay) / 2) for s in (t, t + 1))
            product = state.get("product", np.ones(1)) * now
            m = b1 * state.get("m", 0 * g) + (1 - b1) * g
            s = b2 * state.get("s", 0 * g) + (1 - b2) * g**2
            state.update(m=m, s=s, product=product)
            looked = ahead * m / (1 - product * ahead) + (1 - now) * g / (1 - product)
            return config.lr * looked / (np.sqrt(s / (1 - b2**t)) + config.eps)
        case RadamConfig():
            b1, b2 = config.betas
            m = b1 * state.get("m", 0 * g) + (1 - b1) * g
            s = b2 * state.get("s", 0 * g) + (1 - b2) * g**2
            state.update(m=m, s=s)
            top = 2 / (1 - b2) - 1
            rho = top - 2 * t * b2**t / (1 - b2**t)
            step = config.lr * m / (1 - b1**t)
            if rho <= 5:
                return step
            r = np.sqrt((rho - 4) * (rho - 2) * top / ((top - 4) * (top - 2) * rho))
            return step * r * np.sqrt(1 - b2**t) / (np.sqrt(s) + config.eps)
        case AdadeltaConfig():
            s = config.rho * state.get("s", 0 * g) + (1 - config.rho) * g**2
            last = state.get("u", 0 * g)
            d = np.sqrt(last + config.eps) / np.sqrt(s + config.eps) * g
            state.update(s=s, u=config.rho * last + (1 - config.rho) * d**2)
            return config.lr * d
        case AsgdConfig():
            eta = state.get("eta", np.array(config.lr))
            state["eta"] = np.array(config.lr / (1 + config.lambd * config.lr * t) ** config.alpha)
            return eta * (g + config.lambd * w)
        case RpropConfig():
            turn = np.sign(g * state.get("g", 0 * g))
            grown = np.where(turn > 0, config.etas[1], np.where(turn < 0, config.etas[0], 1.0))
            size = np.clip(state.get("size", config.lr + 0 * g) * grown, *config.step_sizes)
            g = np.where(turn < 0, 0.0, g)
            state.update(g=g, size=size)
            return size * np.sign(g)
        case AdafactorConfig():
            return adafactor(config, w, g, state, t)
        case _:
            raise AssertionError(f"no formula for {config.kind}")


def adafactor(config: AdafactorConfig, w: Array, g: Array, state: Weights, t: int) -> Array:
    # After the decay, which the scale of w must not see yet: torch takes it before.
    before = w / (1 - config.lr * config.weight_decay) if w.ndim > 1 else w
    b2 = 1 - t**config.beta2_decay
    rate = max(config.eps, np.sqrt((before**2).mean())) * min(config.lr, 1 / np.sqrt(t))
    if g.ndim == 1:
        s = state["s"] = b2 * state.get("s", 0 * g) + (1 - b2) * g**2
    else:
        r = b2 * state.get("r", 0.0) + (1 - b2) * (g**2).mean(-1, keepdims=True)
        c = b2 * state.get("c", 0.0) + (1 - b2) * (g**2).mean(-2, keepdims=True)
        state.update(r=r, c=c)
        s = r @ c / r.mean(-2, keepdims=True)
    update = g / np.sqrt(s)
    return rate * update / max(1.0, np.sqrt((update**2).mean()) / config.d)


def plain(config: GroupedConfig, groups: Any, **how: bool) -> list[optim.Optimizer]:
    """torch.optim with a float rate; our field names are its argument names."""
    classes: dict[str, Any] = {
        "sgd": optim.SGD,
        "asgd": optim.ASGD,
        "rprop": optim.Rprop,
        "adagrad": optim.Adagrad,
        "rmsprop": optim.RMSprop,
        "adadelta": optim.Adadelta,
        "adafactor": optim.Adafactor,
        "adam": optim.Adam,
        "adamw": optim.AdamW,
        "adamax": optim.Adamax,
        "nadam": optim.NAdam,
        "radam": optim.RAdam,
    }
    fields = config.model_dump(exclude={"kind", "decay", "groups", "layerwise"})
    if isinstance(config, AdafactorConfig):
        fields["eps"] = (None, config.eps)
    if not isinstance(config, MuonConfig):
        return [classes[config.kind](groups, **fields, **how)]
    shared = {key: fields.pop(key) for key in ("betas", "eps")}
    fields["adjust_lr_fn"] = fields.pop("adjust_lr")
    hidden = [{**g, "params": [p for p in g["params"] if p.ndim == 2]} for g in groups]
    others = [{**g, "params": [p for p in g["params"] if p.ndim != 2]} for g in groups]
    rest: dict[str, Any] = {"lr": config.lr, "weight_decay": config.weight_decay, **shared, **how}
    return [optim.Muon(hidden, **fields), optim.AdamW(others, **rest)]


def run_plain(config: GroupedConfig, dtype: torch.dtype, **how: bool) -> list[torch.Tensor]:
    parameters = named(dtype)
    groups: list[dict[str, Any]] = [{"params": [p for _, p in parameters]}]
    if isinstance(config, DecayingConfig):
        decays = [p for _, p in parameters if falls_on(config, p)]
        others = [p for _, p in parameters if not falls_on(config, p)]
        groups = [{"params": decays}, {"params": others, "weight_decay": 0.0}]
    optimizers = plain(config, [group for group in groups if group["params"]], **how)
    for step in range(STEPS):
        gradients(step, parameters)
        for optimizer in optimizers:
            optimizer.step()
    return [p.detach() for _, p in parameters]


@pytest.mark.parametrize("config", FORMULAS, ids=repr)
def test_follows_the_formula_of_its_paper(config: GroupedConfig) -> None:
    ours = trained(config, lambda _: config.lr)
    for w, expected in zip(ours, by_formula(config), strict=True):
        np.testing.assert_allclose(w.numpy(), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
class TestEveryOptimizer:
    def test_agrees_with_the_plain_loop_of_torch(self, config: GroupedConfig) -> None:
        ours = trained(config, lambda _: config.lr)
        torch.testing.assert_close(ours, run_plain(config, torch.float64, foreach=False))

    @pytest.mark.parametrize("as_tensors", [False, True], ids=["numbers", "tensors"])
    def test_has_a_formula_that_goes_on_as_it_does(
        self, config: GroupedConfig, as_tensors: bool
    ) -> None:
        """For 20 updates, from the state that the first one makes."""
        formula: GroupedConfig = config
        if as_tensors:
            numbers = [torch.tensor(n, dtype=torch.float64) for n in config.tuned_numbers()]
            formula = config.tuned_by(numbers)
        theirs, ours = named(), named()
        optimizer = config.build(theirs, lr=torch.tensor(config.lr, dtype=torch.float64))
        states: dict[str, dict[str, torch.Tensor]] = {}
        for step in range(20):
            gradients(step, theirs)
            optimizer.step()
            for (name, mine), (_, parameter) in zip(ours, theirs, strict=True):
                found = optimizer.state[parameter]
                if step == 0:
                    mine.data.copy_(parameter)
                    states[name] = {k: torch.as_tensor(v).clone() for k, v in found.items()}
                    continue
                assert parameter.grad is not None
                decay = falls_on(config, mine)
                if as_tensors and decay:
                    decay = torch.tensor(decay, dtype=torch.float64)
                lr = torch.tensor(config.lr, dtype=torch.float64)
                found = formula.updated(At(mine.detach(), parameter.grad, states[name], lr, decay))
                assert found is not None
                mine.data.copy_(found[0])
                for key, value in found[1].items():
                    states[name][key].copy_(value)
        # Newton-Schulz is computed in bfloat16, in whichever order.
        rtol, atol = (1e-2, 1e-3) if config.kind == "muon" else (1e-9, 0.0)
        for (name, mine), (_, parameter) in zip(ours, theirs, strict=True):
            torch.testing.assert_close(mine, parameter, rtol=rtol, atol=atol)
            for key, value in optimizer.state[parameter].items():
                kept = torch.as_tensor(value)
                torch.testing.assert_close(states[name][key], kept, rtol=rtol, atol=atol)

    def test_sees_a_rate_that_changes_between_updates(self, config: GroupedConfig) -> None:
        # asgd reads it one update late; rprop before its first one alone.
        still = 2 if config.kind == "asgd" else 1
        once = trained(config, lambda step: 0.0 if step >= still - 1 and step else config.lr)
        parameters = named()
        optimizer = config.build(parameters, lr=config.lr)
        for step in range(STEPS if not config.follows_lr else still):
            gradients(step, parameters)
            optimizer.step()
        # Every update, momentum and all, is multiplied by the rate: with 0 only the first counts.
        torch.testing.assert_close(once, [p.detach() for _, p in parameters])

    def test_every_parameter_is_in_one_group(self, config: GroupedConfig) -> None:
        parameters = named()
        groups = config.build(parameters, lr=config.lr).param_groups
        held = [id(p) for group in groups for p in group["params"]]
        assert sorted(held) == sorted(id(p) for _, p in parameters)

    def test_decay_falls_on_weights_alone_unless_said(self, config: GroupedConfig) -> None:
        for group in config.build(named(), lr=config.lr).param_groups:
            for p in group["params"]:
                assert group.get("weight_decay", 0.0) == falls_on(config, p)

    def test_memory_is_that_of_its_state(self, config: GroupedConfig) -> None:
        parameters = named()
        optimizer = config.build(parameters, lr=config.lr)
        gradients(0, parameters)
        optimizer.step()
        kept = [v for _, p in parameters for v in optimizer.state[p].values()]
        shapes = {name: tuple(p.shape) for name, p in parameters}
        assert config.state_size(shapes) == sum(v.numel() for v in kept if v.ndim)


@pytest.mark.parametrize("config", KERNELS, ids=repr)
def test_rate_in_a_double_tensor_gives_the_bits_of_a_float(config: GroupedConfig) -> None:
    ours = trained(config, lambda _: config.lr, dtype=torch.float32)
    expected = run_plain(config, torch.float32, fused=True)
    assert all(torch.equal(a, b) for a, b in zip(ours, expected, strict=True))


@pytest.mark.parametrize("config", CONFIGS, ids=repr)
def test_group_holds_the_tensor_where_it_is_read_and_else_a_float(config: GroupedConfig) -> None:
    rate = torch.tensor(config.lr, dtype=torch.float64)
    for group in config.build(named(), lr=rate).param_groups:
        plain = group["params"][0].ndim == 2 and config.kind == "muon"
        read = config.lr_in_tensor and not plain
        assert group["lr"] is rate if read else isinstance(group["lr"], float)


@pytest.mark.parametrize(
    "wrong",
    [{"nesterov": True}, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}],
)
def test_nesterov_needs_momentum_and_no_dampening(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="nesterov needs"):
        SgdConfig.model_validate(wrong)


def test_rprop_wants_its_smallest_step_first() -> None:
    with pytest.raises(ValidationError, match="needs the smaller number first"):
        RpropConfig.model_validate({"step_sizes": (50.0, 1e-6)})


@pytest.mark.parametrize("lr", [0.0, -0.1, float("inf"), "0.1", True])
def test_refuses_a_rate_that_is_no_positive_number(lr: object) -> None:
    with pytest.raises(ValidationError):
        AdamConfig.model_validate({"lr": lr})


def test_defaults_of_adam_are_those_of_the_paper() -> None:
    # Kingma & Ba, arXiv:1412.6980, algorithm 1.
    config = AdamConfig()
    assert (config.lr, config.betas, config.eps) == (0.001, (0.9, 0.999), 1e-8)


def test_momentum_moves_ten_times_as_far_along_a_steady_gradient() -> None:
    # v = momentum * v + g tends to g / (1 - momentum).
    w = nn.Parameter(torch.zeros(1, 1, dtype=torch.float64))
    optimizer = SgdConfig(lr=1.0, momentum=0.9).build([("hidden1.weight", w)], lr=1.0)
    before = w.item()
    for _ in range(300):
        before = w.item()
        w.grad = torch.ones_like(w)
        optimizer.step()
    assert before - w.item() == pytest.approx(10.0)


def test_muon_makes_the_update_of_a_hidden_matrix_nearly_orthogonal() -> None:
    parameters = named()
    before = parameters[0][1].detach().clone()
    config = MuonConfig(lr=1.0, weight_decay=0.0, adjust_lr="original")
    optimizer = config.build(parameters, lr=1.0)
    gradients(0, parameters)
    optimizer.step()
    values = torch.linalg.svdvals(before - parameters[0][1].detach())
    # Jordan et al. 2024: five iterations bring the singular values into about 0.7 to 1.2.
    assert ((values > 0.6) & (values < 1.3)).all()


def test_muon_leaves_convolutions_biases_and_the_output_layer_to_adamw() -> None:
    parameters = [*named(), ("output.weight", nn.Parameter(torch.ones(2, 3, dtype=torch.float64)))]
    optimizer = MuonConfig().build(parameters, lr=1e-3)
    gradients(0, parameters)
    optimizer.step()
    kept = {name: set(optimizer.state[p]) for name, p in parameters}
    assert kept.pop("hidden1.weight") == {"momentum_buffer"}
    assert all("exp_avg_sq" in keys for keys in kept.values())


FADING = ("momentum", "alpha", "rho", "betas")
"""Shares that stay of a running mean from step to step."""


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (kind, name)
        for kind in kinds_of(Optimizer).values()
        for name in FADING
        if name in kind.model_fields and (kind, name) != (AsgdConfig, "alpha")  # a power there
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_what_never_fades_is_refused(kind: type[GroupedConfig], field: str) -> None:
    """From 1 on the sum over the past grows without end, whatever the data."""
    for share in (1.0, 2.0):
        with pytest.raises(ValidationError, match="less than 1"):
            kind.model_validate({field: (share, share) if field == "betas" else share})
    kind.model_validate({field: (0.9, 0.99) if field == "betas" else 0.5})


@pytest.mark.parametrize("config", [*DEFAULTS, *VARIANTS], ids=repr)
def test_goes_on_from_a_file_to_the_same_bits_where_channels_lie_last(config: Any) -> None:
    """A file holds numbers in the order of axes; a fused kernel takes memory as it lies."""
    generator = torch.Generator().manual_seed(0)
    first, *gradients = torch.randn(5, 4, 3, 3, 3, generator=generator)

    def train(weight: torch.Tensor, state: dict[str, torch.Tensor], given: Any) -> Any:
        parameter = nn.Parameter(weight.clone().to(memory_format=torch.channels_last))
        named = {"conv1.weight": parameter}
        optimizer = config.build([*named.items()], lr=torch.tensor(0.01, dtype=torch.float64))
        load_optimizer_state(optimizer, named, state)
        for gradient in given:
            parameter.grad = gradient.to(memory_format=torch.channels_last)
            optimizer.step()
        return parameter.detach(), optimizer_state(optimizer, named)

    whole, _ = train(first, {}, gradients)
    half, state = train(first, {}, gradients[:2])
    saved = {name: tensor.contiguous() for name, tensor in state.items()}
    assert torch.equal(train(half.contiguous(), saved, gradients[2:])[0], whole)
