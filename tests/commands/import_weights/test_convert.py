"""From a pickle to safetensors: the same numbers, and no code."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from nnlab.__main__ import main
from nnlab.commands.import_weights.convert import convert_weights
from nnlab.core.errors import ConfigError, DataError


class Evil:
    """What a pickle may do where it is read whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    convolution = torch.nn.Conv2d(3, 4, 3)
    shared = torch.arange(12.0).view(3, 4)
    return {**convolution.state_dict(), "shared": shared, "view": shared.t()}


def test_the_numbers_are_the_same(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "w.pth")
    done = convert_weights(tmp_path / "w.pth", None)
    found = load_file(done.path)
    assert done.path == tmp_path / "w.safetensors"
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)
    with safe_open(done.path, framework="pt") as file:  # pyright: ignore[reportUnknownVariableType]
        assert json.loads(file.metadata()["mean"]) == [0.485, 0.456, 0.406]


def test_data_parallels_prefix_goes(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    torch.save({f"module.{name}": tensor for name, tensor in state.items()}, tmp_path / "w.pth")
    assert load_file(convert_weights(tmp_path / "w.pth", None).path).keys() == state.keys()


def test_colours_are_turned_round(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    """So that the network answers on red, green, blue as it did on blue, green, red."""
    torch.save(state, tmp_path / "w.pth")
    done = convert_weights(tmp_path / "w.pth", None, order="bgr")
    assert done.turned == "weight"
    x = torch.randn(1, 3, 8, 8)
    before = torch.nn.functional.conv2d(x.flip(1), state["weight"])
    after = torch.nn.functional.conv2d(x, load_file(done.path)["weight"])
    torch.testing.assert_close(after, before)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    torch.save({"weights": Evil(tmp_path / "ran")}, tmp_path / "w.pth")
    with pytest.raises(DataError, match="holds something else than tensors, and that is not run"):
        convert_weights(tmp_path / "w.pth", None)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x80\x04.", b"PK\x03\x04"])
def test_what_is_no_such_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(DataError, match=r"w\.pth: holds"):
        convert_weights(tmp_path / "w.pth", None)


def test_nothing_is_written_over(tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    torch.save(state, tmp_path / "w.pth")
    (tmp_path / "w.safetensors").write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        convert_weights(tmp_path / "w.pth", None)
    with pytest.raises(ConfigError, match="there is no such file"):
        convert_weights(tmp_path / "gone.pth", None)


def test_the_command_prints_where_it_is(
    tmp_path: Path, state: dict[str, torch.Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(state, tmp_path / "w.pth")
    assert main(["import-weights", str(tmp_path / "w.pth"), "--expects", "unknown"]) == 0
    out, err = capsys.readouterr()
    assert out.strip().endswith("w.safetensors")
    assert "4 tensors" in err
