"""Masks by row: their moments, and that they are the same in whatever part they are computed."""

from typing import Any

import pytest
import torch
from building import make
from scipy import stats
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from nnlab.core.contracts import Noise
from nnlab.parts.modules import RowDropout, RowRReLU
from nnlab.parts.row_random import kept_share, rows_kept
from nnlab.training.eager_step import EagerStep

ROWS = torch.arange(64)


def network(*layers: nn.Module, seed: int = 5, rows: Tensor = ROWS) -> tuple[nn.Module, Noise]:
    made, noise = nn.Sequential(*layers), Noise(torch.zeros((), dtype=torch.int64))
    assert noise.attach(made)
    noise.seed.fill_(seed)
    noise.rows = rows
    return made, noise


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9])
class TestDropout:
    def test_keeps_the_share_that_it_says(self, p: float) -> None:
        kept = rows_kept(torch.arange(2000), 7, 100, p)
        count = int(kept.sum())
        assert stats.binomtest(count, kept.numel(), kept_share(p)).pvalue > 0.01
        assert kept_share(p) == pytest.approx(1 - p, abs=2**-17)

    def test_leaves_the_mean_and_has_the_variance_of_its_formula(self, p: float) -> None:
        made, noise = network(RowDropout(p), rows=torch.arange(4000))
        found = made(torch.ones(4000, 50)).double()
        # Of 0 or 1/q with chance q: mean 1, variance (1 - q) / q.
        q, n = kept_share(p), found.numel()
        assert abs(float(found.mean()) - 1.0) < 4 * ((1 - q) / q / n) ** 0.5
        assert float(found.var()) == pytest.approx((1 - q) / q, rel=0.03)
        assert found.unique().tolist() == pytest.approx([0.0, 1 / q])
        assert noise.rows is not None

    def test_units_and_rows_are_dropped_independently(self, p: float) -> None:
        kept = rows_kept(torch.arange(3000), 3, 8, p).double()
        for one, other in ((kept[:, :-1], kept[:, 1:]), (kept[:-1], kept[1:])):
            r = torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]
            assert abs(float(r)) < 4 / one.numel() ** 0.5


def test_half_a_batch_draws_the_masks_that_it_has_in_the_whole() -> None:
    made, noise = network(RowDropout(0.5), nn.Identity(), RowDropout(0.25))
    x = torch.randn(64, 3, 5, 5)
    whole = made(x)
    for part in (slice(0, 32), slice(32, 64), slice(0, 64, 2)):
        noise.rows = ROWS[part]
        assert torch.equal(made(x[part]), whole[part])


def test_layers_rows_and_updates_have_masks_of_their_own() -> None:
    first, second = RowDropout(0.5), RowDropout(0.5)
    _, noise = network(first, second)
    x = torch.ones(64, 256)
    a, b = first(x), second(x)
    noise.seed.fill_(6)
    c = first(x)
    for one, other in ((a, b), (a, c), (a, a.roll(1, 0))):
        assert float((one == other).double().mean()) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("layer", [RowDropout(0.3), RowRReLU(0.1, 0.4)])
def test_a_recorded_pass_reads_the_seed_anew(layer: nn.Module) -> None:
    made, noise = network(layer)
    x = torch.randn(64, 40)

    def call(x: Tensor, rows: Tensor, seed: Tensor) -> Tensor:
        noise.rows, noise.seed = rows, seed
        return made(x)

    graph = make_fx(call)(x, ROWS, noise.seed)
    for seed in (5, 11):
        expected = call(x, ROWS, torch.tensor(seed))
        assert torch.equal(graph(x, ROWS, torch.tensor(seed)), expected)


def test_slopes_of_rrelu_are_uniform() -> None:
    made, _ = network(RowRReLU(0.125, 0.375), rows=torch.arange(500))
    slopes = -made(torch.full((500, 40), -1.0)).flatten().double()
    assert stats.kstest((slopes - 0.125) / 0.25, "uniform").pvalue > 0.01


@pytest.mark.parametrize("layer", [RowDropout(0.5), RowRReLU()])
class TestWithoutAStep:
    def test_draws_as_torch_does(self, layer: Any) -> None:
        torch_type = nn.Dropout if isinstance(layer, RowDropout) else nn.RReLU
        plain, x = torch_type(), torch.randn(8, 9)
        torch.manual_seed(1)
        expected = plain(x)
        torch.manual_seed(1)
        assert torch.equal(type(layer)()(x), expected)

    def test_evaluates_as_torch_does(self, layer: Any) -> None:
        torch_type = nn.Dropout if isinstance(layer, RowDropout) else nn.RReLU
        x = torch.randn(8, 9)
        assert torch.equal(type(layer)().eval()(x), torch_type().eval()(x))


def test_an_accumulated_gradient_drops_the_units_of_the_whole_batch() -> None:
    found: list[list[Tensor]] = []
    for parts in (1, 2, 5):
        made = make(
            data={"kind": "blobs", "samples": 200},
            model={"kind": "mlp", "hidden": [16, 16], "dropout": 0.4},
            train={"batch_size": 40, "precision": "fp64", "accumulate": parts},
        )
        assert isinstance(made.built.step, EagerStep)
        found.append([g.clone() for g in made.built.step.gradients(made.rows[:40])])
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-12, atol=1e-15)


def test_torchs_generator_is_left_alone() -> None:
    made = make(
        data={"kind": "blobs", "samples": 200},
        model={"kind": "mlp", "hidden": [16], "dropout": 0.4, "activation": "rrelu"},
    )
    before = torch.get_rng_state()
    made.built.step.update(made.rows[:32])
    assert torch.equal(before, torch.get_rng_state())
