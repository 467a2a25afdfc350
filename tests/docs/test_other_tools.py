"""What docs/python.md says of captum, torchinfo and torch.export works word for word."""

import contextlib
import io
from pathlib import Path
from typing import Any

import pytest

import nnlab

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.mark.slow
def test_other_tools_take_a_loaded_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("captum", "torchinfo"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NNLAB_RUNS", str(tmp_path / "runs"))
    nnlab.train("digits_cnn", set={"train.steps": 2})
    (code,) = [
        b for b in PAGE.read_text().split("```python\n") if b.startswith("# pip install captum")
    ]
    names: dict[str, Any] = {"nnlab": nnlab}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code.partition("```")[0], "python.md", "exec"), names)
    assert names["parts"].shape == (8, 1, 8, 8)
    assert "Total params: 13,706" in printed.getvalue()
    assert printed.getvalue().endswith("torch.Size([3, 10])\n")
