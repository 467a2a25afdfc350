"""Sequences that are sick beside healthy neighbours: trained, each on two kinds of data."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import nnlab
from nnlab.core.finding import Finding
from nnlab.runs.observers.findings import read_findings

ADDING = {"kind": "adding", "steps": 40, "samples": 1000}
FIRST = {"kind": "first_token", "steps": 25, "samples": 1000}
SLOW = pytest.mark.slow
LONG = pytest.mark.parametrize(
    "data", [pytest.param(ADDING, marks=SLOW), FIRST], ids=["adding", "first_token"]
)
SMALL = {"kind": "normal", "std": 0.05}
LARGE = {"kind": "normal", "std": 0.5}


def found_in(folder: Path, data: dict[str, Any], **sections: Any) -> dict[str, Finding]:
    """What a short run tells."""
    train = {"steps": 250, "batch_size": 32, "threads": 1} | sections.pop("train", {})
    config: dict[str, Any] = {
        "data": data,
        "model": {"kind": "rnn", "units": 16},
        "train": train,
        "optimizer": {"kind": "adam", "lr": 3e-3},
        "log": {"checkpoints": "off"},
        **sections,
    }
    done = nnlab.train(config, run_dir=folder / "run")
    return {finding.name: finding for finding in read_findings(done.run)}


class TestAGradientThatFades:
    @LONG
    def test_is_the_cause_and_a_layer_with_memory_the_remedy(
        self, data: dict[str, Any], tmp_path: Path
    ) -> None:
        model = {"kind": "rnn", "units": 16, "recurrent_init": SMALL}
        found = found_in(tmp_path, data, model=model)["vanishing_through_time"]
        assert found.level in ("note", "warning")
        assert found.layer == "rnn1"
        assert found.measured is not None
        assert found.measured < 1e-6
        assert found.remedy == ("model.kind=lstm", "model.recurrent_init=orthogonal")

    @pytest.mark.parametrize(
        "data",
        [FIRST | {"steps": 4}, pytest.param({"kind": "sine", "samples": 600}, marks=SLOW)],
        ids=["first_token", "sine"],
    )
    def test_is_none_where_the_answer_is_near(self, data: dict[str, Any], tmp_path: Path) -> None:
        model = {"kind": "rnn", "units": 16, "recurrent_init": SMALL}
        found = found_in(tmp_path, data, model=model)
        assert not {"vanishing_through_time", "exploding_through_time"} & {*found}


class TestAGradientThatGrows:
    @LONG
    def test_is_found_before_the_weights_are_blamed(
        self, data: dict[str, Any], tmp_path: Path
    ) -> None:
        model = {"kind": "rnn", "units": 32, "recurrent_init": LARGE}
        found = found_in(tmp_path, data, model=model, train={"steps": 60})
        one = found["exploding_through_time"]
        assert one.since == 0
        assert one.remedy == ("model.recurrent_init=orthogonal", "train.clip_norm=1")
        assert not {"exploding_gradient", "saturation", "vanishing_through_time"} & {*found}

    @LONG
    def test_does_not_where_the_weights_keep_its_length(
        self, data: dict[str, Any], tmp_path: Path
    ) -> None:
        assert "exploding_through_time" not in found_in(tmp_path, data, train={"steps": 60})


def walk(folder: Path) -> dict[str, Any]:
    """A random walk, of which no past tells more than the last value."""
    steps = np.random.default_rng(5).standard_normal(600).cumsum()
    (folder / "walk.csv").write_text("value\n" + "\n".join(f"{x:.4f}" for x in steps) + "\n")
    path = str(folder / "walk.csv")
    return {"kind": "series", "path": path, "target": "value", "window": 12, "validation": 120}


class TestAForecast:
    GRU: ClassVar[dict[str, Any]] = {"kind": "gru", "units": 12}

    def test_of_a_random_walk_is_no_better_than_the_last_value(self, tmp_path: Path) -> None:
        found = found_in(tmp_path, walk(tmp_path), model=self.GRU)["naive_forecast"]
        assert "the last value" in found.quantity
        assert found.remedy == ("data.difference=true",)

    def test_of_a_series_that_grows_is_none_by_its_values(self, tmp_path: Path) -> None:
        data = {"kind": "co2", "difference": False, "window": 20}
        found = found_in(tmp_path, data, model=self.GRU)["naive_forecast"]
        assert found.level == "warning"

    @pytest.mark.parametrize(
        "data",
        [
            {"kind": "sunspots", "window": 22},
            pytest.param({"kind": "mackey_glass", "samples": 600}, marks=SLOW),
        ],
        ids=["sunspots", "mackey_glass"],
    )
    def test_that_learned_is_better(self, data: dict[str, Any], tmp_path: Path) -> None:
        assert "naive_forecast" not in found_in(tmp_path, data, model=self.GRU)


def rounds(folder: Path, tokens: str, window: int) -> dict[str, Any]:
    """61 words of two kinds, over and over: some eight of them tell where one is."""
    names = "ab" if tokens == "characters" else ("yes ", "no ")
    order = np.random.default_rng(7).integers(0, 2, 61)
    (folder / "text.txt").write_text("".join(names[n] for n in order) * 200)
    return {"kind": "text", "path": str(folder / "text.txt"), "window": window, "tokens": tokens}


def words(folder: Path, *, again: bool, before: int) -> dict[str, Any]:
    """A text of 40 words in no order, whose part before the validation may be 37 over and over."""
    rng = np.random.default_rng(3)
    names = np.array([f"w{k} " for k in range(40)])
    first = np.tile(rng.integers(0, 40, 37), before // 37) if again else rng.integers(0, 40, before)
    (folder / "text.txt").write_text("".join(names[np.append(first, rng.integers(0, 40, 900))]))
    return {"kind": "text", "path": str(folder / "text.txt"), "window": 12, "tokens": "words",
            "validation": 32, "test": 32}  # fmt: skip


class TestWhatIsWritten:
    TRAIN: ClassVar[dict[str, Any]] = {"steps": 200, "compile": "off"}
    GRU: ClassVar[dict[str, Any]] = {"kind": "gru", "units": 32}

    @pytest.mark.parametrize("again", [True, False])
    def test_goes_round_where_the_training_text_does(self, tmp_path: Path, *, again: bool) -> None:
        data, adam = words(tmp_path, again=again, before=3000), {"kind": "adam", "lr": 0.02}
        found = found_in(tmp_path, data, model=self.GRU, train=self.TRAIN, optimizer=adam)
        assert ("repeats_itself" in found) == again

    def test_may_go_round_where_the_whole_text_does(self, tmp_path: Path) -> None:
        data, adam = rounds(tmp_path, "characters", 16), {"kind": "adam", "lr": 0.02}
        found = found_in(tmp_path, data, model=self.GRU, train=self.TRAIN, optimizer=adam)
        assert "repeats_itself" not in found


class TestAState:
    GRU: ClassVar[dict[str, Any]] = {"kind": "gru", "units": 24, "embed": 4}
    TRAIN: ClassVar[dict[str, Any]] = {"steps": 450}
    TOKENS = pytest.mark.parametrize("tokens", ["characters", pytest.param("words", marks=SLOW)])

    @TOKENS
    def test_that_begins_anew_in_each_window_is_missed(self, tokens: str, tmp_path: Path) -> None:
        data, adam = rounds(tmp_path, tokens, 8), {"kind": "adam", "lr": 0.02}
        found = found_in(tmp_path, data, model=self.GRU, train=self.TRAIN, optimizer=adam)
        assert found["state_not_carried"].level == "note"
        assert found["state_not_carried"].remedy == ("data.window=16",)

    @TOKENS
    def test_is_not_where_the_window_holds_what_tells(self, tokens: str, tmp_path: Path) -> None:
        data, adam = rounds(tmp_path, tokens, 40), {"kind": "adam", "lr": 0.02}
        found = found_in(tmp_path, data, model=self.GRU, train={"steps": 150}, optimizer=adam)
        assert "state_not_carried" not in found


@pytest.mark.parametrize(
    "data",
    [{"kind": "copy", "samples": 300, "symbols": 500}, {"kind": "shakespeare", "limit": 200}],
    ids=lambda data: data["kind"],
)
def test_which_number_a_token_has_is_not_judged(data: dict[str, Any], tmp_path: Path) -> None:
    found = found_in(tmp_path, data, train={"steps": 10})
    assert not {"data_not_scaled", "constant_features", "outlier_rows"} & {*found}
    assert not any("inputs are of size" in one.meaning for one in found.values())


def test_each_place_of_a_text_is_an_answer(tmp_path: Path) -> None:
    """Few windows of many steps are enough to judge by."""
    data = rounds(tmp_path, "characters", 40) | {"validation": 8}
    assert "validation_too_small" not in found_in(tmp_path, data, train={"steps": 10})
