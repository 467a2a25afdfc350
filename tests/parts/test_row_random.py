from typing import Any

import numpy as np
import torch
from scipy import stats
from torch.fx import Node
from torch.fx.experimental.proxy_tensor import make_fx

from nnlab.parts.row_random import normal_rows, rows_kept, uniform_rows

ROWS = torch.arange(2000)


def splitmix64(state: int, count: int) -> list[int]:
    """Vigna's public-domain splitmix64.c, in whole numbers without a limit."""
    numbers: list[int] = []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % 2**64
        numbers.append(z ^ (z >> 31))
    return numbers


def test_each_row_and_seed_has_its_own_splitmix_stream() -> None:
    seed, row = 2**62 + 12345, 7
    (start,) = splitmix64((splitmix64(row, 1)[0] ^ seed) - 0x9E3779B97F4A7C15, 1)
    expected = [(number >> 40) / 2**24 for number in splitmix64(start, 5)]
    assert uniform_rows(torch.tensor([row]), seed, 5)[0].tolist() == expected


def of_counters(value: Any) -> bool:
    """Whether a number of a graph is made of places and constants alone."""
    if not isinstance(value, Node):
        return True
    return value.op == "call_function" and all(map(of_counters, value.all_input_nodes))


def test_what_is_recorded_has_no_product_of_a_counter_that_overflows() -> None:
    def drawn(rows: torch.Tensor, seed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return rows_kept(rows, seed, 50, 0.1), uniform_rows(rows, seed, 50)

    graph = make_fx(drawn)(ROWS, torch.tensor(5)).graph
    products = [node for node in graph.nodes if "mul" in str(node.target)]
    assert len(products) > 10
    for node in products:
        left, right = node.args
        assert not of_counters(left) or abs(right) < 2**31, node.format_node()


def test_draws_do_not_depend_on_the_rest_of_the_batch() -> None:
    batch = torch.tensor([5, 900, 3, 12])
    alone = torch.cat([uniform_rows(batch[i : i + 1], 42, 6) for i in range(4)])
    assert torch.equal(uniform_rows(batch, 42, 6), alone)


def test_draws_of_one_row_do_not_depend_on_their_number() -> None:
    assert torch.equal(uniform_rows(ROWS, 1, 9)[:, :4], uniform_rows(ROWS, 1, 4))


def test_same_seed_gives_the_same_bits() -> None:
    assert torch.equal(uniform_rows(ROWS, 3, 4), uniform_rows(ROWS, 3, 4))


def test_draws_are_uniform_over_rows() -> None:
    draws = uniform_rows(torch.arange(20000), 11, 1)[:, 0].double().numpy()
    assert stats.kstest(draws, "uniform").pvalue > 0.01


def test_draws_are_uniform_over_indices() -> None:
    draws = uniform_rows(torch.tensor([0]), 11, 20000)[0].double().numpy()
    assert stats.kstest(draws, "uniform").pvalue > 0.01


def test_draws_are_uniform_over_seeds_in_a_row() -> None:
    draws = [uniform_rows(torch.tensor([0]), seed, 1).item() for seed in range(3000)]
    assert stats.kstest(draws, "uniform").pvalue > 0.01


def test_neighbours_are_not_correlated() -> None:
    draws = uniform_rows(ROWS, 5, 2)
    pairs = [
        (draws[:, 0], draws[:, 1]),
        (draws[1:, 0], draws[:-1, 0]),
        (draws[:, 0], uniform_rows(ROWS, 6, 1)[:, 0]),
        (draws[1:, 0], uniform_rows(ROWS, 6, 1)[:-1, 0]),
    ]
    # Four standard deviations of the correlation of 2000 independent pairs.
    limit = 4 / np.sqrt(2000)
    assert all(abs(np.corrcoef(a.numpy(), b.numpy())[0, 1]) < limit for a, b in pairs)


def test_draws_stay_below_one_and_reach_zero_from_above() -> None:
    draws = uniform_rows(torch.arange(100000), 0, 4)
    assert draws.min() >= 0.0
    assert draws.max() < 1.0


def test_largest_seed_is_fine() -> None:
    assert uniform_rows(ROWS, 2**63 - 1, 1).unique().numel() > 1900


def test_normal_draws_are_normal() -> None:
    draws = normal_rows(torch.arange(4000), 8, 5).double().flatten().numpy()
    assert stats.kstest(draws, "norm").pvalue > 0.01


def test_normal_draws_of_one_row_are_not_correlated() -> None:
    draws = np.corrcoef(normal_rows(torch.arange(4000), 8, 4).numpy().T)
    assert np.abs(draws - np.eye(4)).max() < 4 / np.sqrt(4000)
