"""Runs of transformers: broken off and resumed, or not watched, they end in the same bytes."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from nnlab.display.open_view import open_view
from nnlab.runs.folder import checkpoint
from nnlab.runs.run import resume, stream_run, train

NETWORKS: dict[str, dict[str, Any]] = {
    "transformer": {
        "data": {"kind": "copy", "samples": 100, "delay": 4, "symbols": 4},
        "model": {"kind": "transformer", "width": 8, "depth": 1, "heads": 2, "dropout": 0.2},
    },
    "vit": {
        "data": {"kind": "digits", "limit": 100, "validation": 20},
        "model": {"kind": "vit", "width": 8, "depth": 1, "heads": 2, "dropout": 0.2},
    },
}
REST: dict[str, Any] = {
    "train": {"steps": 12, "batch_size": 16, "clip_norm": 1.0, "threads": 1, "compile": "off"},
    "log": {"every": "2 steps", "probes": "2 steps", "pictures": "off"},
}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(checkpoint.named_checkpoint(folder / "checkpoints", "last").tensors)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_run_that_is_broken_off_or_not_watched_ends_in_the_same_bytes(
    network: str, tmp_path: Path
) -> None:
    config = {**NETWORKS[network], **REST}
    whole = weights(train(config, run_dir=tmp_path / "whole").run)
    view = open_view(quiet=True, stream=sys.stderr)
    for event in stream_run(config, run_dir=tmp_path / "broken", view=view):
        if getattr(event, "step", 0) == 6:
            break
    assert resume(tmp_path / "broken").status == "completed"
    quiet = {**config, "log": {"every": "12 steps", "probes": "off"}}
    unwatched = train(quiet, run_dir=tmp_path / "unwatched").run
    for folder in (tmp_path / "broken", unwatched):
        found = weights(folder)
        assert found.keys() == whole.keys()
        assert all(torch.equal(found[name], whole[name]) for name in whole)
