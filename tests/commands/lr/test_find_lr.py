"""`nnlab lr`: the command, its words and its codes."""

import json
import shlex
from pathlib import Path

import pytest

from nnlab.__main__ import main

WORDS = ["lr", "iris", "--device", "cpu", "--steps", "40", "--from", "1e-4"]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    monkeypatch.chdir(tmp_path)


def test_prints_a_line_to_paste_and_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(WORDS) == 0
    out, err = capsys.readouterr()
    program, *words = shlex.split(out)
    assert (program, words[:3]) == ("nnlab", ["train", "iris", "--set"])
    key, equals, value = words[3].partition("=")
    assert (key, equals) == ("optimizer.lr", "=")
    assert 1e-4 < float(value) < 10
    assert "valley" in err
    assert list(tmp_path.iterdir()) == []
    assert main(["show", *words[1:]]) == 0


def test_json_is_one_object_with_the_points(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WORDS, "--json"]) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert err == ""
    assert found["lr"] == pytest.approx(found["valley"], rel=0.05)
    assert [*found["points"][0]] == ["rate", "loss", "smoothed"]
    assert found["diverged_at"] is None or found["diverged_at"] <= 10.0


def test_says_the_same_twice(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        main([*WORDS, "--json"])
    first, second = capsys.readouterr().out.splitlines()
    assert first == second


def test_draws_a_picture(tmp_path: Path) -> None:
    assert main([*WORDS, "--plot", "curve.png"]) == 0
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--from", "20"], 2, "--from 20 --to 10: needs 0 < from < to"),
        (["--from", "0"], 2, "--from 0 --to 10: needs 0 < from < to"),
        (["--plot", "curve.jpg"], 2, "--plot curve.jpg: needs a name that ends in .png"),
        (["--device", "tpu"], 2, "--device tpu: is not one of"),
        (["--set", "optimizer=rprop"], 2, "optimizer: rprop finds its steps by itself"),
        (["--set", "optimizer.lr=-1"], 2, "--set optimizer.lr=-1: optimizer.lr: must be greater"),
        # So large from the start that the loss only grows.
        (["--from", "1"], 5, "lr: the loss never fell between 1 and 10"),
        (["--from", "1e30", "--to", "1e38", "--set", "loss=mse"], 5, "lr: the loss is not finite"),
    ],
)
def test_codes_are_as_documented(
    words: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lr", "iris", "--steps", "10", *words]) == code
    assert said in capsys.readouterr().err


def test_the_command_to_paste_keeps_what_was_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a b.yaml").write_text("data: iris\nmodel: {kind: mlp, hidden: [8]}\n")
    sets = ["--set", "model={kind: mlp, hidden: [5]}", "--set", "seed=3"]
    assert main(["lr", "a b.yaml", *WORDS[2:], *sets]) == 0
    words = shlex.split(capsys.readouterr().out)
    assert words[:7] == ["nnlab", "train", "a b.yaml", *sets]
    assert main(["check", *words[2:]]) == 0


def test_the_chart_is_the_braille_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(WORDS) == 0
    page = capsys.readouterr().err
    assert any(0x2800 < ord(sign) < 0x2900 for sign in page)
    assert "· loss  V valley  S steepest" in page
    assert max(map(len, page.splitlines())) <= 120


def test_says_where_the_loss_turned_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lr", "digits_mlp", "--device", "cpu", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    lowest = min(found["points"], key=lambda point: point["smoothed"])
    assert found["turned_up_at"] == lowest["rate"] < 10.0
    assert main(["lr", "digits_mlp", "--device", "cpu"]) == 0
    page = capsys.readouterr().err
    assert f"lowest at {lowest['rate']:.2g} (loss {lowest['smoothed']:.4g})" in page
    assert "did not diverge" not in page
