"""What `nnlab compare` finds out, held against SciPy, the checkpoints and changes made by hand."""

import json
import shutil
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import nnlab
from nnlab.__main__ import main
from nnlab.commands.compare.axes import samples, seconds
from nnlab.commands.compare.compared import Compared, compare_runs
from nnlab.commands.compare.runs import gather_runs
from nnlab.config.loading import load_config
from nnlab.core.errors import CheckpointError, ConfigError
from nnlab.runs.folder import checkpoint

TRAIN = {"epochs": 2, "batch_size": 24}


@pytest.fixture(scope="module", autouse=True)
def kept(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A place for runs that several tests want, each trained once."""
    _KEPT.clear()
    _KEPT.append(tmp_path_factory.mktemp("kept"))


_KEPT: list[Path] = []


def trained(folder: Path, **sections: Any) -> str:
    """A run in this folder; one that was wanted before is copied."""
    config = {"data": "moons", "model": {"kind": "mlp", "hidden": [4]}, "train": TRAIN, **sections}
    first = _KEPT[0] / sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
    if not first.exists():
        nnlab.train(config, run_dir=first)
    shutil.copytree(first, folder)
    return str(folder)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison: two learning rates, three seeds."""
    return nnlab.train_comparison(
        {
            "data": "moons",
            "model": {"kind": "mlp", "hidden": [4]},
            "train": TRAIN,
            "seeds": 3,
            "variants": {"slow": {"optimizer.lr": 1e-4}, "fast": {"optimizer.lr": 0.03}},
        },
        run_dir=tmp_path_factory.mktemp("seeded") / "group",
    ).run


def of(folder: Path, variant: str, tag: str) -> list[float]:
    """The last values, read again from the files."""
    key, split = tag.split("/")
    found: list[float] = []
    for seed in range(3):
        lines = (folder / f"{variant}-s{seed}" / "metrics.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        found.append([row[key] for row in rows if row["split"] == split][-1])
    return found


def without_sum(run: Path) -> Path:
    """A run of which nothing vouches for its record, so that a test may change it."""
    values = json.loads((run / "summary.json").read_text())
    del values["record"], values["sha256"]
    (run / "summary.json").write_text(json.dumps(values))
    return run


def test_only_the_changed_fields_differ(tmp_path: Path) -> None:
    one = trained(tmp_path / "one")
    two = trained(tmp_path / "two", optimizer={"kind": "adam", "lr": 0.5}, seed=3)
    found = compare_runs([one, two]).plain()["differences"]
    lr = {label.split("/")[-1]: value for label, value in found.pop("optimizer.lr").items()}
    assert lr == {"one": 0.001, "two": 0.5}
    assert set(found) == {"seed"}


def test_means_intervals_and_pairs_are_those_of_scipy(seeded: Path) -> None:
    found = compare_runs([str(seeded)])
    tag = "loss/validation"
    slow, fast = of(seeded, "slow", tag), of(seeded, "fast", tag)
    told = found.plain()["variants"]["fast"]["last"][tag]
    low, high = stats.t.interval(0.95, 2, np.mean(fast), stats.sem(fast))
    assert told["mean"] == pytest.approx(np.mean(fast))
    assert told["half"] == pytest.approx((high - low) / 2)
    paired = stats.ttest_rel(fast, slow).confidence_interval(0.95)
    told = found.plain()["paired"]["differences"]["fast"]["last"][tag]
    assert told["mean"] - told["half"] == pytest.approx(paired.low)
    assert told["mean"] + told["half"] == pytest.approx(paired.high)


def test_ranks_by_the_score_and_its_direction(seeded: Path) -> None:
    assert np.mean(of(seeded, "fast", "loss/validation")) < np.mean(
        of(seeded, "slow", "loss/validation")
    )
    assert compare_runs([str(seeded)]).plain()["ranking"] == ["fast", "slow"]
    by_accuracy = compare_runs([str(seeded)], score="accuracy").plain()
    means = {v: np.mean(of(seeded, v, "accuracy/validation")) for v in ("fast", "slow")}
    assert means["fast"] > means["slow"]
    assert by_accuracy["ranking"] == ["fast", "slow"]
    assert by_accuracy["score"] == "accuracy/validation"


def test_twice_the_same_run_is_bit_for_bit_the_same(tmp_path: Path) -> None:
    one = trained(tmp_path / "one")
    again = nnlab.train(load_config(Path(one) / "config.yaml"), run_dir=tmp_path / "two").run
    found = compare_runs([one, str(again)])
    (same,) = found.same
    assert same.identical
    # Counted once: two equal runs would make an interval of width 0.
    (variant,) = found.variants
    assert (len(variant.sides), len(variant.measured)) == (2, 1)
    other = compare_runs([str(tmp_path / "one"), trained(tmp_path / "three", seed=1)]).same[0]
    assert not other.identical


def test_finds_the_first_value_that_was_changed(tmp_path: Path) -> None:
    one, two = trained(tmp_path / "one"), trained(tmp_path / "two")
    file = without_sum(Path(two)) / "metrics.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[4]["samples_per_second"] = 1.0  # a time, of which no two runs have the same
    lines[9]["loss"] = float(np.nextafter(np.float32(lines[9]["loss"]), np.float32(9)))
    lines[12]["loss"] = None
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    first = compare_runs([one, two]).same[0].first
    assert first is not None
    assert (first.step, first.split, first.key, first.count) == (
        lines[9]["step"],
        lines[9]["split"],
        "loss",
        1,
    )
    assert first.there == lines[9]["loss"]


def test_finds_the_tensor_that_was_changed(tmp_path: Path) -> None:
    one, two = trained(tmp_path / "one"), trained(tmp_path / "two")
    checkpoints = Path(two) / "checkpoints"
    last = checkpoint.named_checkpoint(checkpoints, "last")
    weight = last.tensors["model/output.weight"].numpy()
    weight[0, 0] = np.nextafter(weight[0, 0], np.float32(9))
    checkpoint.save_checkpoint(checkpoints, step=last.step, tensors=last.tensors, state=last.state)
    (checkpoints / "best").unlink()
    weights = compare_runs([one, two]).same[0].weights
    assert weights["init"].result == "equal"
    assert weights["best"].result == "missing"
    found = weights["last"]
    assert (found.result, found.tensors, found.of, found.first) == (
        "differ",
        1,
        sum(name.startswith("model/") for name in last.tensors),
        "output.weight",
    )


def test_a_damaged_checkpoint_is_refused_where_weights_are_compared(tmp_path: Path) -> None:
    """It says nothing of the weights: neither that they differ nor that there are none."""
    one, two = trained(tmp_path / "one"), trained(tmp_path / "two")
    checkpoints = Path(two) / "checkpoints"
    file = checkpoints / (checkpoints / "last").read_text().strip() / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: is damaged"):
        compare_runs([one, two])
    data[-1] ^= 1
    file.write_bytes(data)
    (checkpoints / "best").write_text("step-00000000\n\x1a")
    with pytest.raises(CheckpointError, match="best: is damaged"):
        compare_runs([one, two])


def test_seconds_and_samples_add_up_to_what_training_counted(tmp_path: Path) -> None:
    # 24 rows in a batch do not divide an epoch: its last batch is short.
    run = trained(tmp_path / "one", train={**TRAIN, "epochs": 3})
    other = trained(tmp_path / "two", train={**TRAIN, "drop_last": True})
    for side in gather_runs([run, other]):
        checkpoints = side.folder / "checkpoints"
        last = checkpoints / (checkpoints / "last").read_text().strip()
        progress = json.loads((last / "state.json").read_text())["state"]["progress"]
        assert samples(side)[side.summary.steps] == progress["examples"]
        found = seconds(side)
        assert found[side.summary.steps] == pytest.approx(progress["train_seconds"], rel=1e-5)
        assert list(found.values()) == sorted(found.values())


def test_refuses_seconds_where_a_reading_has_no_speed(tmp_path: Path) -> None:
    one, two = trained(tmp_path / "one"), trained(tmp_path / "two")
    file = without_sum(Path(two)) / "metrics.jsonl"
    file.write_text(file.read_text().replace("samples_per_second", "other"))
    with pytest.raises(ConfigError, match="two at step 1 does not say samples_per_second"):
        compare_runs([one, two], over="seconds")


def test_other_data_is_a_note(tmp_path: Path) -> None:
    found = compare_runs([trained(tmp_path / "one"), trained(tmp_path / "two", data="iris")])
    assert "other data" in found.notes[0]
    assert found.plain()["variants"]


def test_a_diverged_run_is_ranked_last_and_named(tmp_path: Path) -> None:
    bad = {"kind": "sgd", "lr": 1e30}
    one = trained(tmp_path / "one", data="function", optimizer=bad)
    found = compare_runs([one, trained(tmp_path / "two", data="function")], score="loss/train")
    assert found.sides[0].status == "diverged"
    assert found.plain()["ranking"][-1] == found.sides[0].label
    assert any("diverged: " in note for note in found.notes)


def test_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = trained(tmp_path / "one"), trained(tmp_path / "two")
    assert main(["compare", one, one]) == 2
    assert "needs two runs or more, got one run" in capsys.readouterr().err
    assert main(["compare", one, two, "--score", "acuracy"]) == 2
    assert "did you mean accuracy?" in capsys.readouterr().err
    (without_sum(Path(two)) / "metrics.jsonl").write_text("{\n")
    with pytest.raises(CheckpointError, match="line 1 is not JSON"):
        compare_runs([one, two])
    (Path(two) / "metrics.jsonl").unlink()
    with pytest.raises(CheckpointError, match="has no readings"):
        compare_runs([one, two])


def test_prints_one_json_object_or_plain_text(
    seeded: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["compare", str(seeded), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found["runs"]) == [f"{v}-s{s}" for v in ("slow", "fast") for s in range(3)]
    assert main(["compare", str(seeded), "--png", str(tmp_path / "curves.png")]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


class Addresses(HTMLParser):
    """What a page would fetch, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = ("src", "href", "xlink:href", "action", "data", "srcset")
        self.found += [v for k, v in attrs if k in names and v and not v.startswith("#")]
        self.found += [tag] if tag in ("script", "link", "iframe") else []

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_fetches_nothing_and_holds_the_numbers(seeded: Path, tmp_path: Path) -> None:
    assert main(["compare", str(seeded), "--html", str(tmp_path / "page.html"), "--json"]) == 0
    content = (tmp_path / "page.html").read_text()
    page = Addresses()
    page.feed(content)
    assert page.found == []
    assert "://" not in content
    assert content.count('role="img"') == 2  # loss and accuracy
    loss = compare_runs([str(seeded)]).plain()["variants"]["fast"]["best"]["loss/validation"][
        "mean"
    ]
    assert any(text.startswith(f"{loss:#.4g} ±") for text in page.text)


def test_names_are_escaped_in_the_page(tmp_path: Path) -> None:
    from nnlab.commands.compare.html import page

    one = trained(tmp_path / "a<b>&")
    found: Compared = compare_runs([one, trained(tmp_path / "two")])
    assert "a<b>" not in page(found)
    assert "a&lt;b&gt;&amp;" in page(found)


def test_longer_windows_are_no_difference(tmp_path: Path) -> None:
    # A loss of training is the mean since the reading before: over 2 batches and over 6.
    one = trained(tmp_path / "one", log={"every": "2 steps"})
    same = compare_runs([one, trained(tmp_path / "two", log={"every": "6 steps"})]).same[0]
    assert same.first is None
    assert same.alone > 0
    other = compare_runs([one, trained(tmp_path / "three", log={"every": "6 steps"}, seed=1)]).same[
        0
    ]
    assert other.first is not None
