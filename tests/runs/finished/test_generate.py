"""Texts that a network goes on with."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from typer.testing import CliRunner

from nnlab.__main__ import main
from nnlab.config.loading import place_for
from nnlab.core.contracts import Machine
from nnlab.core.errors import ConfigError
from nnlab.experiment.settle import settle
from nnlab.parts.datasets.sequences.text import TextLikeConfig
from nnlab.parts.layers.attention_modules import Attention
from nnlab.runs.building.writing import Sampling, token_shares
from nnlab.runs.finished.generate import generate_text
from nnlab.runs.finished.reopen import of_run, restore_network
from nnlab.runs.run import train

CPU = torch.device("cpu")
SENTENCE = "abcdefgh. "


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that has learned one sentence by heart."""
    folder = tmp_path_factory.mktemp("generate")
    (folder / "text.txt").write_text(SENTENCE * 200)
    config = {
        "data": {"kind": "text", "path": str(folder / "text.txt"), "window": 12},
        "model": {"kind": "gru", "units": 24, "embed": 8},
        "optimizer": {"kind": "adam", "lr": 2e-2},
        "train": {"steps": 120, "batch_size": 16, "compile": "off"},
    }
    summary = train(config, run_dir=folder / "run")
    return Path(summary.run)


def text(run: Path, prompt: str = "", **fields: Any) -> str:
    return "".join(generate_text(run, prompt, 40, Sampling(**fields), CPU))


def test_without_a_run_the_last_one_writes(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NNLAB_RUNS", str(tmp_path))
    shutil.copytree(run, tmp_path / "sentence" / "1")
    words = ["--prompt", "abc", "--length", "40", "--temperature", "0", "--device", "cpu"]
    assert main(["generate", *words]) == 0
    assert capsys.readouterr().out == f"abc{(SENTENCE * 5)[3:43]}\n"


def test_goes_on_with_what_was_learned(run: Path) -> None:
    assert text(run, "abc", temperature=0.0) == (SENTENCE * 5)[3:43]


def test_begins_by_itself_where_the_text_has_no_end_of_a_line(run: Path) -> None:
    assert len(text(run, "", temperature=0.0)) == 40


def test_the_command_says_where_it_goes_round(run: Path) -> None:
    from nnlab.cli import app

    asked = ["generate", str(run), "--prompt", "abc", "--length", "80"]
    found = CliRunner().invoke(app, [*asked, "--temperature", "0"])
    assert found.exit_code == 0
    assert "goes round: " in found.stderr
    assert "--temperature 0.8 --top-p 0.95 varies more" in found.stderr
    hot = CliRunner().invoke(app, [*asked, "--temperature", "9"])
    assert "goes round" not in hot.stderr


def test_a_carried_state_is_that_of_the_whole_text(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(SENTENCE * 20)
    config = {
        "data": {"kind": "text", "path": str(tmp_path / "text.txt"), "window": 6},
        "model": {"kind": "lstm", "units": 12},
        "train": {"steps": 5, "batch_size": 4, "compile": "off", "carry": True},
    }
    run = Path(train(config, run_dir=tmp_path / "run").run)
    expected = whole(run, "abcd", 40, window=1000, temperature=2.0, seed=3)
    assert text(run, "abcd", temperature=2.0, seed=3) == expected


@pytest.fixture(scope="module", params=["learned", "sinusoidal", "rotary", "alibi"])
def transformer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("transformer")
    (folder / "text.txt").write_text(SENTENCE * 200)
    config = {
        "data": {"kind": "text", "path": str(folder / "text.txt"), "window": 24},
        "model": {"kind": "transformer", "width": 16, "heads": 2, "positions": request.param},
        "optimizer": {"kind": "adam", "lr": 1e-2},
        "train": {"steps": 60, "batch_size": 16, "compile": "off"},
    }
    return Path(train(config, run_dir=folder / "run").run)


def whole(run: Path, prompt: str, length: int, **fields: Any) -> str:
    """Each token from a pass of all that were there before it, within the window."""
    experiment = settle(of_run(run), place_for(run), Machine.here("cpu"))
    network = restore_network(run, experiment).eval()
    data = experiment.config.data
    assert isinstance(data, TextLikeConfig)
    window: int = fields.pop("window", data.window)
    words, sampling = data.tokens_of(place_for(run)), Sampling(**fields)
    seen = words.numbers_of(prompt).tolist()
    count, generator = len(seen), torch.Generator().manual_seed(sampling.seed)
    for _ in range(length):
        with torch.no_grad():
            logits = network(torch.tensor([seen[-window:]]))[0, -1].double()
        if sampling.temperature == 0.0:
            seen.append(int(logits.argmax()))
        else:
            shares = token_shares(logits, sampling)
            seen.append(int(torch.multinomial(shares, 1, generator=generator)))
    return words.text_of(seen[count:])


def test_what_attention_remembers_is_what_the_whole_gives(transformer: Path) -> None:
    # 40 tokens: 20 within the window of 24, and 20 beyond it.
    for fields in ({"temperature": 0.0}, {"temperature": 3.0, "seed": 4}):
        assert text(transformer, "abcd", **fields) == whole(transformer, "abcd", 40, **fields)


def test_attention_sees_a_token_once_within_the_window(
    transformer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    plain = Attention.forward

    def counted(layer: Attention, x: torch.Tensor) -> torch.Tensor:
        seen.append(x.shape[1])
        return plain(layer, x)

    monkeypatch.setattr(Attention, "forward", counted)
    text(transformer, "abcd")
    # Two layers; the prompt, then one token each, and behind the window all of it.
    assert seen[::2] == [4] + [1] * 20 + [24] * 19


def test_the_same_seed_draws_the_same_text(run: Path) -> None:
    hot = {"temperature": 4.0}
    assert text(run, "a", **hot, seed=1) == text(run, "a", **hot, seed=1)
    assert text(run, "a", **hot, seed=1) != text(run, "a", **hot, seed=2)


def test_one_of_the_likeliest_is_the_likeliest(run: Path) -> None:
    expected = text(run, "abc", temperature=0.0)
    assert text(run, "abc", temperature=3.0, top_k=1) == expected
    assert text(run, "abc", temperature=3.0, top_p=1e-9) == expected


def test_says_what_a_prompt_cannot_hold(run: Path) -> None:
    with pytest.raises(ConfigError, match="'Z' is not in the text"):
        text(run, "aZ")


def test_a_run_that_learned_from_no_text_is_refused(tmp_path: Path) -> None:
    config = {"data": "blobs", "model": "linear", "train": {"steps": 2}}
    summary = train(config, run_dir=tmp_path / "run")
    with pytest.raises(ConfigError, match="learned from blobs, not from a text"):
        text(Path(summary.run))


class TestShares:
    LOGITS = torch.tensor([1.0, 3.0, 2.0, -1.0, 0.0], dtype=torch.float64)

    def test_are_a_softmax_over_the_temperature(self) -> None:
        found = token_shares(self.LOGITS, Sampling(temperature=0.7))
        expected = np.exp(self.LOGITS.numpy() / 0.7)
        np.testing.assert_allclose(found.numpy(), expected / expected.sum(), rtol=1e-12)

    def test_of_the_k_likeliest_keep_their_ratios(self) -> None:
        found = token_shares(self.LOGITS, Sampling(top_k=2))
        assert found.nonzero().flatten().tolist() == [1, 2]
        assert float(found[1] / found[2]) == pytest.approx(np.e)

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.7, 0.95, 1.0])
    def test_of_a_nucleus_are_the_fewest_that_reach_its_share(self, share: float) -> None:
        plain = self.LOGITS.softmax(0)
        found = token_shares(self.LOGITS, Sampling(top_p=share))
        kept = found > 0
        ordered = plain.sort(descending=True).values
        fewest = int((ordered.cumsum(0) < share - 1e-12).sum()) + 1
        assert int(kept.sum()) == min(fewest, 5)
        assert float(plain[kept].min()) >= (float(plain[~kept].max()) if (~kept).any() else 0.0)
        torch.testing.assert_close(found[kept], plain[kept] / plain[kept].sum())

    def test_are_what_is_drawn(self) -> None:
        generator = torch.Generator().manual_seed(0)
        shares = token_shares(self.LOGITS, Sampling(temperature=1.5))
        draws = torch.multinomial(shares, 5000, replacement=True, generator=generator)
        counts = torch.bincount(draws, minlength=5).numpy()
        assert stats.chisquare(counts, 5000 * shares.numpy()).pvalue > 0.01
