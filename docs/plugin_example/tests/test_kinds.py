"""What nnlab's own tests ask of a kind; run them with pytest, the package installed."""

import numpy as np
import torch
from nnlab_example.activations import SnakeConfig
from nnlab_example.layers import LayerScaleConfig


def test_the_module_computes_the_formula() -> None:
    z = torch.linspace(-4, 4, 101, dtype=torch.float64, requires_grad=True)
    config = SnakeConfig(frequency=0.7)
    out = config.build()(z)
    (slope,) = torch.autograd.grad(out.sum(), z)
    points = z.detach().numpy()
    np.testing.assert_allclose(out.detach().numpy(), config.value(points), atol=1e-12)
    np.testing.assert_allclose(slope.numpy(), config.derivative(points), atol=1e-12)


def test_the_plan_tells_what_is_built() -> None:
    config = LayerScaleConfig(start=0.2)
    plan = config.plan((5,), "layer_scale1", ())
    module = config.build((5,))[""]
    built = {f"layer_scale1.{name}": tuple(p.shape) for name, p in module.named_parameters()}
    assert built == dict(plan.parameters)
    torch.testing.assert_close(module(torch.ones(3, 5)), torch.full((3, 5), 0.2))
