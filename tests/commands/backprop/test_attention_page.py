"""The page of a layer of attention: by hand, by autograd, by differences."""

import json
from typing import Any

import numpy as np
import pytest
import torch

from nnlab.__main__ import main
from nnlab.commands.backprop import attention_page
from nnlab.commands.backprop.attention import AttentionLayer, attend, attend_back, softmax_jacobian
from nnlab.commands.backprop.page import backprop_page

VIT = "model={kind: vit, patch: 4, width: 8, depth: 1, heads: 2}"
TEXT: dict[str, Any] = {
    "kind": "transformer",
    "width": 8,
    "depth": 1,
    "heads": 2,
    "positions": "alibi",
    "init": {"kind": "normal", "std": 0.5},
}


def config(tmp_path: Any, **model: Any) -> str:
    path = tmp_path / "text.yaml"
    sections = {"data": {"kind": "copy", "samples": 40, "delay": 4}, "model": {**TEXT, **model}}
    path.write_text(json.dumps(sections))
    return str(path)


def test_the_jacobian_is_that_of_a_softmax() -> None:
    s = torch.tensor([0.3, -1.2, 2.0, 0.1], dtype=torch.float64)
    expected = torch.func.jacrev(torch.softmax)(s, 0)
    np.testing.assert_allclose(softmax_jacobian(s.softmax(0).numpy()), expected, atol=1e-15)


@pytest.mark.parametrize("causal", [False, True])
def test_the_gradient_of_what_comes_in_is_that_of_differences(causal: bool) -> None:
    rng = np.random.default_rng(0)
    layer = AttentionLayer(
        rng.normal(size=(18, 6)), rng.normal(size=18), rng.normal(size=(6, 6)),
        rng.normal(size=6), 2, causal, np.array([0.5, 0.0]),
    )  # fmt: skip
    x, dy = rng.normal(size=(5, 6)), rng.normal(size=(5, 6))
    back = attend_back(layer, attend(layer, x), dy)
    for place in np.ndindex(5, 6):
        moved = np.zeros((5, 6))
        moved[place] = 1e-6
        slope = (dy * (attend(layer, x + moved).y - attend(layer, x - moved).y)).sum() / 2e-6
        assert back.x[place] == pytest.approx(slope, rel=1e-6, abs=1e-7)


def test_a_text_and_an_image_agree_three_ways(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for source, changes in ((config(tmp_path), []), ("digits_mlp", ["--set", VIT])):
        assert main(["backprop", source, *changes]) == 0
        shown = capsys.readouterr().out
        assert "they agree" in shown
        assert "diag(a) - a a'" in shown


def test_json_holds_the_whole_sheet(tmp_path: Any) -> None:
    found = backprop_page(config(tmp_path), [], example=1, split="train", as_json=True)
    sheet = json.loads(found.text)
    assert found.error is None
    assert sheet["agrees"] is True
    assert sheet["largest_relative_error"] < 1e-8
    weights = np.array(sheet["weights"])
    np.testing.assert_allclose(weights.sum(axis=2), 1.0)
    assert sheet["logits"][0][0][1] is None
    assert np.array(sheet["gradients"]["in_proj_weight"]).shape == (24, 8)


def test_a_wrong_formula_is_told(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*args: Any) -> Any:
        back = attend_back(*args)
        gradients = {**back.gradients, "in_proj_weight": -back.gradients["in_proj_weight"]}
        return attention_page.replace(back, gradients=gradients)

    monkeypatch.setattr(attention_page, "attend_back", wrong)
    found = backprop_page(config(tmp_path), [], example=0, split="train", as_json=False)
    assert "DISAGREE" in found.text
    assert found.error is not None


def test_what_is_not_written_out_is_refused(
    tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backprop", config(tmp_path, positions="rotary")]) == 2
    assert "positions: learned or alibi" in capsys.readouterr().err
