"""Windows over a series: what they hold, and that splits share no step."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nnlab.config.loading import place_for
from nnlab.core.contracts import Examples, Windows
from nnlab.core.errors import ConfigError, DataError
from nnlab.parts.datasets.sequences.series import SeriesConfig, SineSeriesConfig, SunspotsConfig
from nnlab.parts.datasets.sequences.text import ShakespeareConfig, TextConfig
from nnlab.parts.datasets.sequences.tokens import UNKNOWN, stored_tokens, vocabulary_of
from nnlab.parts.datasets.sequences.windowed import WindowedConfig
from nnlab.training.sources import WindowSource

PLACE = place_for(Path.cwd())
KINDS: dict[str, WindowedConfig] = {
    "next token": ShakespeareConfig(window=50),
    "strided": ShakespeareConfig(window=50, stride=7, validation=0.2, test="none"),
    "words": ShakespeareConfig(window=20, tokens="words", vocabulary=500),
    "horizon": SineSeriesConfig(window=20, horizon=6),
    "far horizon": SineSeriesConfig(window=5, horizon=30, stride=3, validation=40, test=40),
    "differences": SineSeriesConfig(window=20, horizon=6, difference=True, stride=2),
    "sunspots": SunspotsConfig(window=22, horizon=11),
    "limited": SineSeriesConfig(window=20, limit=100),
}


def steps_of(windows: Windows, row: int) -> set[int]:
    start = row * windows.stride
    seen = set(range(start, start + windows.length))
    told = start + windows.offset
    return seen | set(range(told, told + windows.count))


@pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)
class TestEverySeries:
    def test_splits_share_no_step_of_time(self, config: WindowedConfig) -> None:
        found = config.load(PLACE)
        assert found.windows is not None
        steps = {
            split: set[int]().union(*(steps_of(found.windows, row) for row in rows.tolist()))
            for split, rows in found.rows.items()
        }
        splits = list(steps)
        for index, one in enumerate(splits):
            for other in splits[index + 1 :]:
                assert steps[one].isdisjoint(steps[other])
        # Training lies before validation, validation before test.
        assert [max(steps[s]) for s in splits] == sorted(max(steps[s]) for s in splits)

    def test_describes_what_it_loads(self, config: WindowedConfig) -> None:
        shape, found = config.describe(PLACE), config.load(PLACE)
        assert shape == found.shape
        assert {split: len(rows) for split, rows in found.rows.items()} == shape.sizes
        assert found.inputs.shape[1:] == shape.inputs

    def test_a_batch_holds_its_windows(self, config: WindowedConfig) -> None:
        found = config.load(PLACE)
        source = WindowSource(found, device=torch.device("cpu"), dtype=torch.float64)
        rows = found.rows["validation"][[0, 3, 1]]
        batch = source.gather(torch.from_numpy(rows))
        inputs, targets = np.asarray(found.inputs)[rows], found.targets[rows]
        if found.shape.places:
            assert batch.inputs.tolist() == inputs.tolist()
            assert batch.targets.tolist() == targets.reshape(-1).tolist()
            # What is told at a step is what is seen at the next.
            assert np.array_equal(inputs[:, 1:], targets[:, :-1])
            return
        expected = (inputs - found.shift) * found.factor
        np.testing.assert_allclose(batch.inputs.numpy(), expected, rtol=1e-6, atol=1e-6)
        assert found.target_scale is not None
        mean, deviation = (np.array(part) for part in found.target_scale)
        np.testing.assert_allclose(batch.targets.numpy(), (targets - mean) / deviation, rtol=1e-5)


def test_differences_are_told_from_the_last_step_on() -> None:
    """What is told, added to the last value that is seen, is the series."""
    config = SineSeriesConfig(samples=300, window=8, horizon=3)
    plain, found = config.load(PLACE), config.model_copy(update={"difference": True}).load(PLACE)
    levels = config.measured(PLACE).target
    inputs = np.asarray(found.inputs)[:, :, 0]
    np.testing.assert_allclose(inputs[5], np.diff(levels)[5:13], atol=1e-6)
    np.testing.assert_allclose(found.targets[5] + levels[13], levels[14:17], atol=1e-6)
    # The naive error is that of the series, not of its changes.
    assert found.shape.naive == pytest.approx(plain.shape.naive, rel=0.02)


def test_a_gap_is_no_larger_than_it_must_be() -> None:
    windows = Windows(np.zeros(1000), np.zeros(1000), 20, 1, offset=20, count=6)
    config = SineSeriesConfig(samples=1000, window=20, horizon=6, validation=0.1, test="none")
    blocks = config.blocks(windows)
    assert blocks["validation"].start - blocks["train"].stop == windows.span - 1 == 25
    assert blocks["validation"].stop == windows.examples == 975


def test_the_scale_is_that_of_the_training_block() -> None:
    config = SunspotsConfig(window=22, horizon=1, validation=60, test=60)
    found = config.load(PLACE)
    train = np.asarray(found.inputs)[found.rows["train"]]
    assert found.shift.shape == (1, 1, 1)
    assert float(found.shift.item()) == pytest.approx(train.mean(), rel=1e-6)
    assert 1 / float(found.factor.item()) == pytest.approx(train.std(), rel=1e-6)


def test_the_naive_forecast_is_the_value_a_season_ago() -> None:
    assert SineSeriesConfig(period=25, season=25).describe(PLACE).naive == pytest.approx(
        0, abs=1e-6
    )
    half = SineSeriesConfig(period=24, season=12, samples=5000).describe(PLACE).naive
    # |sin(a) - sin(a + pi)| = 2 |sin a|, whose mean is 4 / pi up to the grid of 24 steps.
    expected = 2 * np.abs(np.sin(2 * np.pi * np.arange(24) / 24)).mean()
    assert half == pytest.approx(expected, rel=1e-3)


class TestTokens:
    TEXT = "to be, or not to be?\nthat is"

    @pytest.mark.parametrize("kind", ["characters", "bytes", "words", "bpe"])
    def test_come_back_as_the_text(self, kind: Any) -> None:
        if kind == "bpe":
            pytest.importorskip("tokenizers")
        found = vocabulary_of(self.TEXT, kind, 100)
        numbers = stored_tokens(self.TEXT, found)
        assert numbers.tolist() == found.numbers_of(self.TEXT).tolist()
        back = found.text_of(numbers.tolist())
        assert back == self.TEXT

    def test_rare_words_are_unknown(self) -> None:
        found = vocabulary_of(self.TEXT, "words", 3)
        assert found.tokens == (UNKNOWN, "be", "to")
        assert found.numbers_of("to see or be").tolist() == [2, 0, 0, 1]

    def test_the_most_frequent_pair_becomes_a_piece_first(self) -> None:
        """Sennrich et al. 2016, figure 1: e and s, then es and t."""
        pytest.importorskip("tokenizers")
        text = "low low low low low lower lower " + "newest " * 6 + "widest " * 3
        found = vocabulary_of(text, "bpe", 258)
        assert found.tokens[256:] == ("es", "est")
        numbers = found.numbers_of("est").tolist()
        assert numbers == [257]
        assert found.text_of([*numbers, *found.numbers_of(" \u00fc!").tolist()]) == "est \u00fc!"
        assert len(set(found.names)) == 258
        assert {"space", "newline"} <= {*found.names}

    def test_pieces_need_their_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "tokenizers", None)
        with pytest.raises(DataError, match=r"pip install 'nnlab-torch\[bpe\]'"):
            vocabulary_of(self.TEXT, "bpe", 300)

    def test_names_show_what_is_blank(self) -> None:
        assert vocabulary_of("a b\n", "characters", 9).names == ("newline", "space", "a", "b")

    def test_the_bundled_plays_have_the_entropy_that_is_told(self) -> None:
        text = ShakespeareConfig().text(PLACE)
        shares = np.unique(list(text), return_counts=True)[1] / len(text)
        assert len(text) == 1_105_194
        assert -(shares * np.log(shares)).sum() == pytest.approx(3.3, abs=0.05)


def csv_file(folder: Path, text: str) -> str:
    (folder / "series.csv").write_text(text)
    return str(folder / "series.csv")


def load(path: str, **fields: Any) -> Examples:
    return SeriesConfig(path=path, target="y", window=2, validation=2, test=2, **fields).load(PLACE)


def test_a_csv_file_is_a_series(tmp_path: Path) -> None:
    rows = "".join(f"2024-01-{day:02d},{day}.5,{10 * day}\n" for day in range(1, 25))
    path = csv_file(tmp_path, "day,x,y\n" + rows)
    found = load(path, inputs=("x", "y"), time="day", horizon=2)
    assert np.asarray(found.inputs)[0].tolist() == [[1.5, 10], [2.5, 20]]
    assert found.targets[0].tolist() == [30, 40]


@pytest.mark.parametrize(
    ("missing", "expected"), [("previous", 10.0), ("line", 25.0), ("mean", 10.0)]
)
def test_gaps_are_filled_as_asked(tmp_path: Path, missing: Any, expected: float) -> None:
    rows = "".join(f"{value}\n" for value in ["10", '""', "40", *range(50, 70)])
    found = load(csv_file(tmp_path, "y\n" + rows), missing=missing)
    assert np.asarray(found.inputs)[0, 1, 0] == expected


@pytest.mark.parametrize(
    ("text", "fields", "told"),
    [
        ("y\n1\nx\n3\n", {}, "row 3, column 'y': 'x' is no number"),
        ("z\n1\n2\n", {}, "has no column 'y' \\(there are z\\)"),
        ('y\n1\n""\n3\n', {}, "row 3, column 'y': no value"),
        ("t,y\n1,1\n3,2\n2,3\n", {"time": "t"}, "row 4, column 't': 2 is not after 3"),
        ("y,z\n1\n2\n", {}, "row 2 has 1 cells, the header 2"),
    ],
)
def test_says_where_a_csv_file_is_wrong(
    tmp_path: Path, text: str, fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(DataError, match=told):
        load(csv_file(tmp_path, text), **fields)


def test_a_sequence_that_is_too_short_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a short text")
    config = TextConfig(path=str(tmp_path / "a.txt"), window=8)
    with pytest.raises(ConfigError, match=r"data.window: 12 steps give 1 windows of 9"):
        config.describe(PLACE)
