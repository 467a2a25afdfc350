"""What goes wrong in training, seen in networks and runs of nnlab, and what helps."""

from math import exp, prod

import numpy as np
import pytest
import torch
from building import Made, make
from scipy.stats import norm
from torch import Tensor, nn

from nnlab.core.contracts import Batch, DataShape
from nnlab.experiment.experiment import Experiment
from nnlab.models.network import build_network
from nnlab.parts.losses.classes import BceConfig
from nnlab.parts.losses.family import LossConfig
from nnlab.parts.losses.regression import QuadraticConfig

DEEP = 20
MOONS = {"kind": "moons", "samples": 100}


def chain(activation: str, weight: float) -> nn.Module:
    """DEEP layers of one unit each, and an output of weight 1."""
    init = {"kind": "constant", "value": weight}
    output = {"init": {"kind": "constant", "value": 1.0}}
    hidden = {"width": 1, "depth": DEEP}
    data = {"kind": "inline", "inputs": [[0.5], [1.0]], "targets": [0.5, 1.5]}
    model = {"kind": "mlp", "hidden": hidden, "activation": activation, "init": init}
    made = make(data=data, model={**model, "output": output}, train={"steps": 1})
    return network_of(made.experiment)


def network_of(experiment: Experiment) -> nn.Module:
    return build_network(experiment.design, seed=0).double()


def slope(network: nn.Module, x: Tensor) -> Tensor:
    """The gradient of the sum of all outputs in the inputs."""
    (gradient,) = torch.autograd.grad(network(x.requires_grad_()).sum(), x)
    return gradient


def test_gradient_of_20_sigmoid_layers_is_at_most_a_quarter_to_the_20th_and_relus_is_whole() -> (
    None
):
    # The product of the slopes of the layers; with weights of 1 each is at most 1/4.
    a, slopes = 0.5, list[float]()
    for _ in range(DEEP):
        a = 1 / (1 + exp(-a))
        slopes.append(a * (1 - a))
    x = torch.tensor([[0.5]], dtype=torch.float64)
    gradient = slope(chain("sigmoid", 1.0), x.clone()).item()
    assert gradient == pytest.approx(prod(slopes), rel=1e-9)
    assert 0 < gradient <= 0.25**DEEP == pytest.approx(9e-13, rel=0.02)
    assert slope(chain("relu", 1.0), x.clone()).item() == 1.0


def test_gradient_explodes_by_the_scale_of_each_layer() -> None:
    # ReLU networks without biases are homogeneous: twice the weights of each of 20 layers give
    # 2^20 times the gradient, on the same units.
    def at(std: float) -> Tensor:
        model = {"kind": "mlp", "hidden": {"width": 8, "depth": DEEP}, "activation": "relu"}
        init = {"kind": "normal", "std": std}
        made = make(data=MOONS, model={**model, "init": init}, train={"steps": 1})
        return slope(network_of(made.experiment), torch.ones(3, 2, dtype=torch.float64))

    small = at(0.25)
    assert small.any()
    torch.testing.assert_close(at(0.5), small * 2.0**DEEP)


def trained(activation: str, bias: float) -> tuple[Made, dict[str, Tensor]]:
    """Ten updates, and the weights before them."""
    bias_init = {"kind": "constant", "value": bias}
    model = {"kind": "mlp", "hidden": [4], "activation": activation, "bias_init": bias_init}
    made = make(data=MOONS, model=model, optimizer={"kind": "sgd", "lr": 0.1}, train={"steps": 10})
    before = made.weights()
    made.run()
    return made, before


def test_a_dead_relu_is_0_on_every_input_and_learns_nothing_a_leaky_one_does() -> None:
    for activation, dead in (("relu", True), ("leaky_relu", False)):
        made, before = trained(activation, bias=-20.0)
        inputs = torch.from_numpy(np.asarray(made.examples.inputs))
        z = inputs @ before["hidden1.weight"].T + before["hidden1.bias"]
        assert (z < 0).all()
        after = made.weights()
        for name in ("hidden1.weight", "hidden1.bias"):
            assert torch.equal(after[name], before[name]) == dead, (activation, name)
        # What stands behind them goes on learning.
        assert not torch.equal(after["output.bias"], before["output.bias"])


@pytest.mark.parametrize(("init", "variance"), [("normal", 1.0), ("xavier_normal", 2 / 4784)])
def test_units_saturate_under_n_0_1_and_not_under_xavier(init: str, variance: float) -> None:
    # z of 784 inputs of 1 is N(0, 784 variance): the share beyond the z where |tanh z| = 0.99.
    inputs, units = 784, 4000
    weight = {"kind": "normal", "std": 1.0} if init == "normal" else init
    layers = [{"kind": "linear", "units": units, "activation": "tanh", "init": weight}]
    rows = [[1.0] * inputs, [0.5] * inputs]
    data = {"kind": "inline", "inputs": rows, "targets": [0, 1], "scale": "none"}
    made = make(data=data, model={"kind": "stack", "layers": layers}, train={"steps": 1})
    z = made.weights()["hidden1.weight"].double().sum(dim=1)
    found = (z.tanh().abs() > 0.99).double().mean().item()
    share = 2 * float(norm.sf(np.arctanh(0.99) / np.sqrt(inputs * variance)))
    assert abs(found - share) < 5 * np.sqrt(share * (1 - share) / units)
    assert share > 0.9 if init == "normal" else share < 0.01


def test_a_saturated_wrong_output_learns_by_cross_entropy_and_not_by_quadratic_cost() -> None:
    # sigmoid(6) = 0.998 where 0 is right: dC/dz is a for bce, a * sigmoid'(6) for quadratic.
    shape = DataShape((1,), "labels", 1, ("right",), {"train": 1})
    wrong = torch.zeros(1, 1, dtype=torch.float64)

    def pull(loss: LossConfig, *, inside: bool) -> float:
        z = torch.tensor([[6.0]], dtype=torch.float64, requires_grad=True)
        outputs = z if inside else z.sigmoid()
        batch = Batch(outputs, wrong, torch.zeros(1, dtype=torch.int64))
        loss.build(shape)(outputs, batch).sum().backward()
        assert z.grad is not None
        return z.grad.item()

    a = 1 / (1 + exp(-6.0))
    quadratic = pull(QuadraticConfig(), inside=False)
    bce = pull(BceConfig(), inside=True)
    assert quadratic == pytest.approx(a * a * (1 - a))
    assert bce == pytest.approx(a)
    assert bce / quadratic > 400


def test_overfitting_is_a_validation_loss_that_rises_while_the_training_loss_falls() -> None:
    # Labels drawn by lot: there is nothing to learn but the training examples themselves.
    made = make(
        data={"kind": "moons", "samples": 120, "validation": 40, "label_noise": 1.0},
        model={"kind": "mlp", "hidden": [64, 64]},
        optimizer={"kind": "adam", "lr": 0.02},
        train={"epochs": 40, "batch_size": "full"},
        log={"every": "1 steps"},
    )
    readings, _ = made.run()
    losses: dict[str, list[float]] = {"train": [], "validation": []}
    for reading in readings:
        if reading.split in losses and reading.step:
            losses[reading.split].append(reading.values["loss"])
    best = int(np.argmin(losses["validation"]))
    assert losses["validation"][-1] > losses["validation"][best] + 0.1
    assert losses["train"][-1] < losses["train"][best] - 0.1


def test_a_rate_below_2_over_the_curvature_converges_and_one_above_diverges() -> None:
    # On a parabola of curvature 50 an update multiplies the distance by 1 - 50 lr.
    def path(lr: float) -> list[float]:
        made = make(
            data={"kind": "surface", "function": "ravine"},
            model="point",
            optimizer={"kind": "sgd", "lr": lr},
            train={"steps": 40, "precision": "fp64"},
        )
        return [reading.values["y"] for reading in made.run()[0]]

    for lr, share in ((1e-5, 0.98), (0.01, 1e-9), (0.039, 0.2), (0.041, 5.0)):
        found = path(lr)
        steps = np.arange(len(found) - 1)
        np.testing.assert_allclose(found[1:], found[0] * (1 - 50 * lr) ** steps, rtol=1e-6)
        # Crawls, is right, swings slowly in, swings out.
        last = abs(found[-1] / found[0])
        assert last > share if lr in (1e-5, 0.041) else last < share


def test_random_images_are_classified_with_confidence() -> None:
    # Far from the data a ReLU network is linear along a ray, so that its softmax tends to one
    # class. Hein et al. 2019, arXiv:1812.05720, theorem 3.1.
    made = make(
        data="digits",
        model={"kind": "mlp", "hidden": [32], "activation": "relu"},
        optimizer={"kind": "adam", "lr": 0.01},
        train={"epochs": 5},
    )
    made.run()
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand((200, *made.experiment.shape.inputs), generator=generator)
    with torch.no_grad():
        near = made.built.network.eval()(noise).softmax(dim=1).max(dim=1).values
        far = made.built.network(1000 * noise).softmax(dim=1).max(dim=1).values
    # Guessing among ten digits would be 0.1.
    assert near.mean() > 0.5
    assert far.mean() > 0.99
