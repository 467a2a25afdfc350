"""The recursion of a plain recurrent layer, written out, against autograd and differences."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nnlab.__main__ import main
from nnlab.commands.backprop.proof import work_example
from nnlab.comparison.comparison import settle_first
from nnlab.config.loading import Text
from nnlab.core.errors import MistakeError
from nnlab.experiment.experiment import Experiment

EXACT = 1e-10


def experiment(**sections: Any) -> Experiment:
    tree = {
        "data": {"kind": "adding", "steps": 6, "samples": 20},
        "model": {"kind": "rnn", "units": 3},
        "train": {"steps": 1},
        **sections,
    }
    return settle_first(Text(json.dumps(tree), "f.yaml", Path.cwd(), "f"))


def example(found: Experiment) -> tuple[Any, Any]:
    examples = found.load()
    stored = np.asarray(examples.inputs)[0].astype(np.float64)
    return (stored - examples.shift[0]) * examples.factor[0], examples.targets[0]


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"model": {"kind": "rnn", "units": [4, 3, 2]}},
        {"data": {"kind": "parity", "steps": 5, "samples": 20}},
        {"data": {"kind": "sine", "window": 9, "samples": 200, "horizon": 2}},
        {"model": {"kind": "stack", "layers": [
            {"kind": "rnn", "units": 3}, "last", {"kind": "linear", "units": 4}],
            "activation": "sigmoid"}},
        {"model": {"kind": "rnn", "units": 3, "recurrent_init": {"kind": "normal", "std": 1.0}}},
    ],
    ids=str,
)  # fmt: skip
def test_all_three_gradients_agree(sections: dict[str, Any]) -> None:
    found = experiment(**sections)
    sheet = work_example(found, *example(found))
    assert sheet.agrees
    assert max(one.autograd for one in sheet.agreements) <= EXACT
    named = {one.name for one in sheet.agreements}
    assert {"rnn1.weight_ih", "rnn1.weight_hh", "rnn1.bias_ih", "rnn1.bias_hh"} <= named


def test_each_step_is_that_of_torch() -> None:
    """States and their gradients at every step, of the layer as torch has it."""
    found = experiment()
    x, target = example(found)
    sheet = work_example(found, x, target)
    (one,) = sheet.steps
    layer = torch.nn.RNN(2, 3, batch_first=True).double()
    with torch.no_grad():
        for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            layer.get_parameter(f"{part}_l0").copy_(torch.from_numpy(getattr(one.layer, part)))
        states = layer(torch.from_numpy(x[None]))[0][0]
    assert one.h == pytest.approx(states.numpy(), rel=1e-12)
    z = torch.from_numpy(one.z).clone()
    for t in range(6):  # from one z on, what follows is a function of it
        start = z[t].clone().requires_grad_()
        h = torch.tanh(start)
        for later in range(t + 1, 6):
            step = torch.from_numpy(x[later])
            w, u = (torch.from_numpy(getattr(one.layer, n)) for n in ("weight_ih", "weight_hh"))
            h = torch.tanh(w @ step + u @ h)
        last = sheet.passes[0].layer
        assert last.weight is not None
        output = torch.from_numpy(last.weight) @ h
        ((output - torch.from_numpy(np.asarray(target, np.float64))) ** 2).mean().backward()
        assert start.grad is not None
        assert one.delta[t] == pytest.approx(start.grad.numpy(), rel=1e-9)


@pytest.mark.parametrize(
    ("sections", "why"),
    [
        ({"model": {"kind": "lstm", "units": 3}}, "the recursion is that of plain layers"),
        ({"model": {"kind": "rnn", "units": 3, "bidirectional": True}}, "in one direction"),
        ({"model": {"kind": "rnn", "units": 3, "dropout": 0.2}}, "dropout 0.2 is not written out"),
        ({"model": {"kind": "rnn", "units": 3, "last": "mean"}}, "begins at the last step"),
        ({"data": {"kind": "first_token", "samples": 80}}, "tokens are no numbers"),
    ],
)
def test_says_what_is_not_written_out(sections: dict[str, Any], why: str) -> None:
    found = experiment(**sections)
    with pytest.raises(MistakeError, match=why):
        work_example(found, *example(found))


def test_the_page_shows_the_steps_there_and_back(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["lessons/adding", "--set", "data.steps=4", "--set", "model.units=3"]
    assert main(["backprop", *words]) == 0
    page = capsys.readouterr().out
    forward, _, rest = page.partition("BACKWARD")
    assert [line for line in forward.splitlines() if line.startswith("  t = ")] == [
        f"  t = {t}" for t in (1, 2, 3, 4)
    ]
    back = [line for line in rest.splitlines() if line.startswith("  t = ")]
    assert back == [f"  t = {t}" for t in (4, 3, 2, 1)]
    assert "rnn1.weight_hh" in rest
    assert "they agree" in rest
    assert main(["backprop", *words, "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    assert np.array(plain["steps"][0]["delta"]).shape == (4, 3)
    assert plain["agrees"]


def test_an_answer_at_every_step_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backprop", "shakespeare"]) == 2
    assert "has an answer at every step" in capsys.readouterr().err
