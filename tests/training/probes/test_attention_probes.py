"""Readings of attention against their definitions."""

from math import log
from typing import Any

import numpy as np
import pytest
import torch
from building import Made, make

from nnlab.parts.layers.attention_modules import Attention
from nnlab.training.probes.attention import attention_of, probe_attention
from nnlab.training.probes.readings import reading_keys

LAYER = "block1.attention1"


def built(**fields: Any) -> Made:
    return make(
        data={"kind": "copy", "samples": 60, "delay": 4, "symbols": 4},
        model={"kind": "transformer", "width": 8, "depth": 1, "heads": 2, **fields},
        train={"precision": "fp64", "batch_size": 8},
    )


def layer_of(made: Made) -> Attention:
    layer = made.built.network.get_submodule(LAYER)
    assert isinstance(layer, Attention)
    return layer


@pytest.mark.parametrize("positions", ["learned", "rotary", "alibi"])
def test_the_entropy_is_that_of_the_weights_of_each_head(positions: str) -> None:
    made = built(positions=positions)
    network, layer = made.built.network, layer_of(made)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter)
    inputs = made.built.source.gather(made.rows[:5]).inputs
    found = probe_attention(network, {LAYER: "02"}, lambda: network(inputs))
    weights = attention_of(network, [LAYER], lambda: network(inputs))[LAYER][1].numpy()
    logits = attention_of(network, [LAYER], lambda: network(inputs))[LAYER][0].numpy()
    steps = weights.shape[2]
    for head in range(2):
        each = [
            -sum(a * log(a) for a in weights[n, head, t, : t + 1] if a > 0.0)
            for n in range(5)
            for t in range(steps)
        ]
        right = float(np.mean(each))
        assert float(found[f"attention_entropy/02.head{head + 1}"]) == pytest.approx(right, 1e-5)
    seen = np.tril(np.ones((steps, steps), bool))
    assert float(found["attention_logit/02"]) == pytest.approx(logits[:, :, seen].max(), 1e-6)
    assert layer.kept is None
    assert network.training == made.built.network.training


def test_one_that_looks_at_all_places_alike_has_the_mean_of_the_logarithms() -> None:
    made = built()
    layer, network = layer_of(made), made.built.network
    layer.in_proj_weight.data[:8] = 0.0
    inputs = made.built.source.gather(made.rows[:5]).inputs
    found = probe_attention(network, {LAYER: "02"}, lambda: network(inputs))
    right = np.mean([log(t + 1) for t in range(inputs.shape[1])])
    assert float(found["attention_entropy/02.head1"]) == pytest.approx(right, 1e-6)
    assert float(found["attention_logit/02"]) == 0.0


def test_a_run_reads_what_its_keys_say() -> None:
    made = built()
    step = made.built.step
    step.fill_learning_rate(1e-3)
    batches = made.built.trainer.order.batches(0)
    step.probe(batches[0], beside=[])
    step.update(batches[0])
    read = {key for key in step.read() if key.startswith("attention")}
    keys = reading_keys(made.experiment.design.layers, when=["log.probes"], has=["gradient"])
    assert read == {key for key in keys if key.startswith("attention")}
    assert len(read) == 3
