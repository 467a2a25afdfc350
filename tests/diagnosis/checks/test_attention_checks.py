"""Attention that is sick beside healthy neighbours: trained, on tokens and on images."""

from pathlib import Path
from typing import Any

import pytest

import nnlab
from nnlab.core.finding import Finding
from nnlab.runs.observers.findings import read_findings

TEXT = {"kind": "first_token", "steps": 12, "samples": 400}
DIGITS = {"kind": "digits", "limit": 500, "validation": 150}
KINDS = pytest.mark.parametrize("data", [TEXT, DIGITS], ids=lambda data: data["kind"])


def found_in(
    folder: Path, data: dict[str, Any], *, lr: float = 3e-3, steps: int = 120, **fields: Any
) -> dict[str, Finding]:
    """What a short run tells of a transformer over tokens or patches."""
    sections = {key: fields.pop(key) for key in ("schedule",) if key in fields}
    model = {"kind": "transformer", "width": 16, "depth": 2, "heads": 2, **fields}
    if data is DIGITS:
        model = {"patch": 2, **model, "kind": "vit"}
    config: dict[str, Any] = {
        "data": data,
        "model": model,
        "optimizer": {"kind": "adam", "lr": lr},
        "train": {"steps": steps, "batch_size": 16, "threads": 1, "compile": "off"},
        "log": {"checkpoints": "off"},
        **sections,
    }
    done = nnlab.train(config, run_dir=folder / "run")
    return {finding.name: finding for finding in read_findings(done.run)}


class TestHeadsThatLookAtOnePlace:
    @pytest.mark.parametrize("patch", [2, 1])
    def test_are_the_cause_where_nothing_is_learned(self, patch: int, tmp_path: Path) -> None:
        init = {"kind": "normal", "std": 8.0}
        found = found_in(tmp_path, DIGITS, init=init, lr=1e-4, patch=patch)["attention_collapse"]
        assert found.layer in ("block1.attention1", "block3.attention1")
        assert found.measured is not None
        assert found.measured < 0.05
        assert found.since == 0
        assert found.remedy == ("model.init=gpt2",)

    @KINDS
    def test_are_not_found_with_usual_weights(self, data: dict[str, Any], tmp_path: Path) -> None:
        for number, lr in enumerate((1e-4, 3e-3)):
            found = found_in(tmp_path / str(number), data, lr=lr)
            assert "attention_collapse" not in found


class TestNormsBehindTheSums:
    def test_need_a_warm_up(self, tmp_path: Path) -> None:
        deep = {"norm_first": False, "depth": 8}
        found = found_in(tmp_path, TEXT, lr=1e-2, **deep)["post_norm_without_warmup"]
        assert found.remedy == ("schedule.warmup=10%", "model.norm_first=true")

    @pytest.mark.parametrize(
        "fields",
        [
            {"norm_first": False, "depth": 1},
            {"norm_first": True, "depth": 8, "lr": 1e-2},
            {"norm_first": False, "depth": 8, "schedule": {"kind": "constant", "warmup": "20%"}},
        ],
        ids=["learns", "norms first", "warmed up"],
    )
    def test_are_not_blamed(self, fields: dict[str, Any], tmp_path: Path) -> None:
        assert "post_norm_without_warmup" not in found_in(tmp_path, TEXT, **fields)
