"""One way to ask a network: no trace in it, whatever it is and whatever happens meanwhile."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from nnlab.core.contracts import Batch
from nnlab.training.evaluate import Forward


class Rows:
    """A source of the numbers of the rows themselves."""

    def gather(self, rows: Tensor) -> Batch:
        return Batch(rows.float()[:, None].expand(-1, 3), rows, rows)

    def announce(self, batches: Sequence[Tensor]) -> None:
        self.announced = list(batches)

    def close(self) -> None:
        pass


class Noisy(nn.Linear):
    """Draws in every mode, as a module of a user's own may."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) + torch.randn(1)


def batches() -> list[Tensor]:
    return list(torch.arange(10).split(4))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 2))


def test_answers_come_batch_by_batch_in_evaluation_mode() -> None:
    net, source = network(), Rows()
    with Forward(net).over(source, batches()) as answers:
        found = [(batch.rows, outputs) for batch, outputs in answers]
    assert torch.equal(torch.cat([rows for rows, _ in found]), torch.arange(10))
    assert [len(rows) for rows, _ in found] == [4, 4, 2]
    assert [len(rows) for rows in source.announced] == [4, 4, 2]
    net.eval()
    for rows, outputs in found:
        assert torch.equal(outputs, net(source.gather(rows).inputs))
        assert not outputs.requires_grad


def test_a_frozen_module_stays_frozen_and_the_others_go_on_training() -> None:
    net = network()
    net[1].eval()
    modes = [module.training for module in net.modules()]
    buffers = [b.clone() for b in net.buffers()]
    with Forward(net).over(Rows(), batches()) as answers:
        for _ in answers:
            assert not any(module.training for module in net.modules())
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(a, b) for a, b in zip(buffers, net.buffers(), strict=True))


def test_an_error_or_an_early_end_leaves_all_as_it_was() -> None:
    net, threads = network(), torch.get_num_threads()

    def fails() -> None:
        with Forward(net, threads=threads + 1).over(Rows(), batches()) as answers:
            next(answers)
            assert torch.get_num_threads() == threads + 1
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop") as kept:
        fails()
    # While the error and with it all its frames are still held.
    assert kept.value.__traceback__ is not None
    assert torch.is_grad_enabled()
    assert all(module.training for module in net.modules())
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("how", ["over", "outputs"])
def test_what_a_module_draws_is_not_missing_in_training(how: str) -> None:
    net = Noisy(3, 2)
    before = torch.get_rng_state()
    if how == "over":
        with Forward(net).over(Rows(), batches()) as answers:
            first = torch.cat([outputs for _, outputs in answers])
    else:
        first = Forward(net).outputs(torch.zeros(4, 3), batch=2)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(first.unique()) > 2, "it has drawn for each batch"


def test_low_precision_is_that_of_autocast_and_comes_out_wide() -> None:
    net = network().eval()
    inputs = torch.randn(8, 3, generator=torch.Generator().manual_seed(1))
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        low = net(inputs)
    asked = Forward(net, torch.bfloat16)
    assert low.dtype == torch.bfloat16
    for found in (asked(inputs), asked.outputs(inputs, batch=8), asked.as_trained(inputs)):
        assert found.dtype == torch.float32
    assert torch.equal(asked.outputs(inputs, batch=8), low.float())
    assert not torch.equal(low.float(), net(inputs))


def test_as_trained_normalizes_by_the_batch_and_keeps_its_statistics() -> None:
    net = network()
    inputs = torch.randn(8, 3)
    norm = net.get_submodule("1")
    running = norm.get_buffer("running_mean").clone()
    found = Forward(net).as_trained(inputs)
    net[2].eval()  # dropout alone is off
    assert torch.equal(norm.get_buffer("running_mean"), running)
    assert torch.equal(found, net(inputs))


def test_gradients_reach_inputs_where_they_are_asked_for() -> None:
    inputs = torch.randn(4, 3, requires_grad=True)
    Forward(network())(inputs).sum().backward()
    assert inputs.grad is not None


def test_inputs_are_scaled_on_the_way_and_float64_stays() -> None:
    net = network().double().eval()
    stored = torch.arange(12, dtype=torch.uint8).view(4, 3)
    found = Forward(net).outputs(stored, batch=3, scale=lambda x: x / 8)
    assert found.dtype == torch.float64
    with torch.no_grad():
        torch.testing.assert_close(found, net(stored.double() / 8))
