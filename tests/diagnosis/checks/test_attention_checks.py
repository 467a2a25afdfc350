"""Attention that is sick beside healthy neighbours: trained, on tokens and on images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnlab
from nnlab.core.finding import Finding
from nnlab.diagnosis.checks.sequences.attention import _places_used  # pyright: ignore[reportPrivateUsage]
from nnlab.runs.observers.findings import read_findings

TEXT = {"kind": "first_token", "steps": 12, "samples": 400}
DIGITS = {"kind": "digits", "limit": 500, "validation": 150}
SLOW = pytest.mark.slow
KINDS = pytest.mark.parametrize(
    "data", [TEXT, pytest.param(DIGITS, marks=SLOW)], ids=["first_token", "digits"]
)


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
    @pytest.mark.parametrize("patch", [2, pytest.param(1, marks=SLOW)])
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
            pytest.param({"norm_first": True, "depth": 8, "lr": 1e-2}, marks=SLOW),
            pytest.param(
                {
                    "norm_first": False,
                    "depth": 8,
                    "schedule": {"kind": "constant", "warmup": "20%"},
                },
                marks=SLOW,
            ),
        ],
        ids=["learns", "norms first", "warmed up"],
    )
    def test_are_not_blamed(self, fields: dict[str, Any], tmp_path: Path) -> None:
        assert "post_norm_without_warmup" not in found_in(tmp_path, TEXT, **fields)


def text(folder: Path, kind: str) -> dict[str, Any]:
    """Letters of which the last one tells all that can be told, or a round that many tell."""
    draw = np.random.default_rng(3)
    if kind == "chain":
        letters, last = [], 0
        for _ in range(6000):
            last = int(draw.choice(4, p=np.roll([0.7, 0.1, 0.1, 0.1], last + 1)))
            letters.append("abcd"[last])
    else:
        letters = ["ab"[n] for n in draw.integers(0, 2, 97)] * 62
    (folder / "text.txt").write_text("".join(letters))
    return {"kind": "text", "path": str(folder / "text.txt"), "window": 32}


class TestAWindow:
    def test_of_which_the_last_letter_tells_all_is_too_long(self, tmp_path: Path) -> None:
        found = found_in(tmp_path, text(tmp_path, "chain"), lr=1e-2)["context_unused"]
        assert found.level == "note"
        assert found.measured is not None
        assert found.measured <= 4
        assert found.remedy == (f"data.window={max(2 * int(found.measured), 4)}",)

    def test_of_which_nothing_was_learned_yet_is_not_judged(self, tmp_path: Path) -> None:
        found = found_in(tmp_path, text(tmp_path, "round"), lr=1e-2, steps=30)
        assert "context_unused" not in found


class TestPlacesUsed:
    def test_end_where_the_loss_rests(self) -> None:
        draw = np.random.default_rng(0)
        course = np.where(np.arange(64) < 6, 3.0 - 0.3 * np.arange(64), 1.3)
        losses = (course + 0.1 * draw.normal(size=(200, 64))).astype(np.float32)
        used = _places_used(losses, 3.0, 0.01)
        assert used is not None
        assert 4 <= used <= 7

    def test_are_all_where_it_falls_to_the_end(self) -> None:
        draw = np.random.default_rng(0)
        losses = 3.0 - 0.03 * np.arange(64) + 0.1 * draw.normal(size=(200, 64))
        assert _places_used(losses.astype(np.float32), 3.0, 0.01) is None
