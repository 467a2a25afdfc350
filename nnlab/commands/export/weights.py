"""Weights without a graph: one safetensors file, or a folder for the Hugging Face Hub."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor, nn

from nnlab.core import files

CARD = """---
library_name: nnlab
tags: [pytorch, nnlab]
---

# {name}

{task}, trained with nnlab from `config.yaml` in this folder{scores}.

`model.safetensors` holds the weights by layer, `config.json` what a row looks like, how it is
scaled and what the outputs are called. To train it again: `nnlab train config.yaml`.
"""


def tensors_of(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, on the CPU."""
    return {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}


def write_weights(network: nn.Module, facts: Mapping[str, str], path: Path) -> None:
    """One safetensors file; the facts are its metadata."""
    files.write_file(path, save(tensors_of(network), metadata={"format": "pt", **facts}))


def write_folder(
    network: nn.Module, facts: Mapping[str, str], path: Path, *, config: str, scores: str
) -> None:
    """model.safetensors, config.json, config.yaml and a card, as the Hugging Face Hub shows them.

    Args:
        network: whose weights are kept.
        facts: as text, or as JSON where they are lists; config.json holds them.
        path: the folder; made where it is missing, its other files stay.
        config: the run's config, as YAML.
        scores: what it reached, as one clause, or empty.
    """
    with files.storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    write_weights(network, {}, path / "model.safetensors")
    plain: dict[str, Any] = {"model_type": "nnlab", **{k: _value(v) for k, v in facts.items()}}
    files.write_file(path / "config.json", json.dumps(plain, indent=2, ensure_ascii=False) + "\n")
    files.write_file(path / "config.yaml", config)
    task = {"regression": "A regression", "labels": "A classifier of several labels"}
    card = CARD.format(
        name=facts["name"], task=task.get(facts["task"], "A classifier"), scores=scores
    )
    files.write_file(path / "README.md", card)


def _value(text: str) -> Any:
    return json.loads(text) if text[:1] in "[{" else text
