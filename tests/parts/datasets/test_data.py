"""What holds for every data set."""

from collections.abc import Callable

import numpy as np
import pytest
from pydantic import ValidationError

from nnlab.core.errors import ConfigError
from nnlab.core.kinds import kinds_of
from nnlab.parts.datasets import Data
from nnlab.parts.datasets.family import DataConfig, Place
from nnlab.parts.datasets.sequences.windowed import WindowedConfig
from nnlab.parts.datasets.split_sizes import FirstRows, FromColumn, FromFile, LastRows
from nnlab.parts.datasets.synthetic.gates import XorConfig

Make = Callable[[str], DataConfig]
GATES = ("and", "or", "xor")
SMALL = (*GATES, "inline", "surface")
"""Sets so small that all splits use all rows."""
WINDOWED = {name for name, kind in kinds_of(Data).items() if issubclass(kind, WindowedConfig)}
"""Windows over one series: their splits are blocks, their arrays views."""
UNSTRATIFIED = {*SMALL, *WINDOWED, "diabetes", "function", "adding", "copy"}
"""Sets without one class for each example, or whose rows are not drawn."""


@pytest.mark.parametrize("name", kinds_of(Data))
class TestEveryDataSet:
    def test_describes_what_it_loads(self, name: str, make: Make, place: Place) -> None:
        config = make(name)
        shape, examples = config.describe(place), config.load(place)
        assert examples.shape == shape
        assert examples.inputs.shape == (len(examples.targets), *shape.inputs)
        assert {split: len(rows) for split, rows in examples.rows.items()} == shape.sizes
        assert len(shape.classes) == (shape.outputs if shape.task == "classes" else 0)
        assert len(shape.columns) in (0, shape.inputs[0])

    def test_gives_types_that_training_can_use(self, name: str, make: Make, place: Place) -> None:
        examples = make(name).load(place)
        assert isinstance(examples.inputs, np.ndarray)
        if examples.shape.tokens:
            assert examples.inputs.dtype.kind in "ui"
            assert 0 <= examples.inputs.min() <= examples.inputs.max() < examples.shape.tokens
        else:
            assert examples.inputs.dtype in (np.uint8, np.float32)
        if name in WINDOWED:
            assert examples.windows is not None
            assert np.shares_memory(examples.inputs, examples.windows.series)
        else:
            assert examples.inputs.flags.c_contiguous
        if examples.shape.task == "classes":
            assert examples.targets.dtype.kind in "ui"
            assert examples.targets.shape == (len(examples.inputs), *examples.shape.places)
        else:
            assert examples.targets.dtype == np.float32
            assert examples.targets.shape == (len(examples.inputs), examples.shape.outputs)
        for part in (examples.shift, examples.factor):
            assert part.dtype == np.float32
            np.broadcast_to(part, examples.inputs.shape)
        assert all(rows.dtype == np.int64 for rows in examples.rows.values())

    def test_splits_share_no_row(self, name: str, make: Make, place: Place) -> None:
        examples = make(name).load(place)
        rows = np.concatenate(list(examples.rows.values()))
        if name in SMALL:
            every = list(range(len(examples.targets)))
            assert all(sorted(mine) == every for mine in examples.rows.values())
        else:
            assert len(np.unique(rows)) == len(rows)
            # Between the blocks of a series some windows are left out.
            assert len(rows) == len(examples.targets) or name in WINDOWED

    def test_same_seed_same_rows_and_same_digest(self, name: str, make: Make, place: Place) -> None:
        config = make(name)
        first, second = config.load(place), config.load(place)
        other = config.model_copy(update={"split_seed": 1}).load(place)
        assert first.digest == second.digest == other.digest
        assert len(first.digest) == 64
        for split, rows in first.rows.items():
            np.testing.assert_array_equal(rows, second.rows[split])
        if len(first.rows["train"]) > 4 and name not in WINDOWED:
            assert not np.array_equal(first.rows["train"], other.rows["train"])

    def test_resolving_changes_nothing_and_leaves_no_auto(
        self, name: str, make: Make, place: Place
    ) -> None:
        config = make(name)
        resolved = config.resolved(place)
        # Whether targets are scaled hangs on the loss and the output too: `settle` decides it.
        assert "auto" not in resolved.model_dump(exclude={"scale_target"}).values()
        assert resolved.resolved(place) == resolved
        elsewhere = Place(place.folder / "elsewhere", place.root, place.cache)
        first, second = config.load(place), resolved.load(elsewhere)
        assert first.shape == second.shape
        assert first.digest == second.digest
        np.testing.assert_array_equal(first.rows["train"], second.rows["train"])
        np.testing.assert_array_equal(first.factor, second.factor)

    def test_resolved_config_survives_being_written(
        self, name: str, make: Make, place: Place
    ) -> None:
        resolved = make(name).resolved(place)
        assert type(resolved).model_validate(resolved.model_dump()) == resolved

    def test_says_in_its_docstring_what_it_is(self, name: str) -> None:
        doc = kinds_of(Data)[name].__doc__
        assert doc is not None
        assert doc.splitlines()[0].endswith(".")
        assert name not in kinds_of(Data)[name].model_fields

    def test_scales_the_training_rows(self, name: str, make: Make, place: Place) -> None:
        config = make(name)
        examples = config.load(place)
        assert isinstance(examples.inputs, np.ndarray)
        scaled = (examples.inputs - examples.shift) * examples.factor
        train = scaled[examples.rows["train"]]
        scale = config.resolved(place).scale
        if scale == "unit":
            assert train.min() >= 0.0
            assert 0.9 < train.max() <= 1.0
        elif scale == "feature":
            axes = (0, 1) if name in WINDOWED else 0  # of a series, alike at every step
            np.testing.assert_allclose(train.mean(axis=axes), 0.0, atol=1e-4)
            np.testing.assert_allclose(train.std(axis=axes), 1.0, atol=1e-4)
        else:
            np.testing.assert_array_equal(scaled, examples.inputs)


@pytest.mark.parametrize("name", sorted({*kinds_of(Data)} - UNSTRATIFIED))
def test_splits_are_stratified_within_one_example(name: str, make: Make, place: Place) -> None:
    config = make(name)
    examples = config.load(place)
    pool = np.concatenate([examples.rows["train"], examples.rows["validation"]])
    if not config.has_split("test", place):
        pool = np.concatenate([pool, examples.rows["test"]])
    mine = np.bincount(examples.targets[examples.rows["validation"]])
    every = np.bincount(examples.targets[pool])
    # Test is drawn first, so that validation finds what is off by a part of one already.
    assert np.abs(mine - len(examples.rows["validation"]) * every / len(pool)).max() < 1.5


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1, "1 may mean one or all"),
        (1.0, "leaves nothing to train on"),
        (0, "count of 2 or more"),
        (-3, "count of 2 or more"),
        (0.0, "between 0 and 1"),
        (1.5, "between 0 and 1"),
        (True, "needs"),
    ],
)
def test_refuses_sizes_that_may_mean_two_things(make: Make, value: float, words: str) -> None:
    kind = type(make("iris"))
    for split in ("validation", "test"):
        with pytest.raises(ValidationError, match=words):
            kind.model_validate({split: value})


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize(
    ("size", "words"),
    [
        (FromFile(file="more.csv"), "is for csv, npz and image_folder only"),
        (FromColumn(column="fold"), "is for csv only"),
        ("official", "iris has no {split} split of its own"),
        (200, "leave"),
        (
            2,
            "2 examples cannot hold one of each of 3 classes .{split}: 3 or more, or {split}: none",
        ),
        (0.001, "takes no example at all"),
    ],
)
def test_refuses_a_split_that_cannot_be(
    make: Make, place: Place, split: str, size: object, words: str
) -> None:
    config = make("iris").model_copy(update={split: size})
    for act in (config.describe, config.load):
        with pytest.raises(ConfigError, match=words.format(split=split)):
            act(place)


def test_tells_all_contradictions_at_once(make: Make, place: Place) -> None:
    kind = type(make("iris"))
    config = kind.model_validate(
        {"validation": {"column": "x"}, "scale": "channel", "augment": ("flip",)}
    )
    with pytest.raises(ConfigError) as error:
        config.describe(place)
    starts = [line.split(":")[0] for line in error.value.lines]
    assert starts == ["data.validation", "data.scale", "data.augment.0"]


def test_refuses_feature_scale_for_images(make: Make, place: Place) -> None:
    with pytest.raises(ConfigError, match=r"data\.scale: feature is for the columns of a table"):
        make("digits").model_copy(update={"scale": "feature"}).describe(place)


def test_refuses_a_limit_above_what_is_left(make: Make, place: Place) -> None:
    with pytest.raises(ConfigError, match=r"data\.limit: 106 examples, but only 105 are left"):
        make("iris").model_copy(update={"limit": 106}).describe(place)


def test_first_rows_are_taken_as_stored(make: Make, place: Place) -> None:
    config = make("iris").model_copy(
        update={"limit": FirstRows(first=60), "test": LastRows(last=10), "validation": "none"}
    )
    rows = config.load(place).rows
    assert rows["train"].tolist() == list(range(60))
    assert rows["test"].tolist() == list(range(140, 150))
    assert "validation" not in rows
    assert config.describe(place).sizes == {"train": 60, "test": 10}


def test_test_rows_do_not_depend_on_validation_or_limit(make: Make, place: Place) -> None:
    config = make("digits")
    changed = config.model_copy(update={"validation": 300, "limit": 100})
    first, second = config.load(place).rows, changed.load(place).rows
    np.testing.assert_array_equal(first["test"], second["test"])
    assert len(second["train"]) == 100


def test_official_test_rows_are_never_trained_on(make: Make, place: Place) -> None:
    config = make("mnist").model_copy(update={"test": 0.25})
    rows = config.load(place).rows
    assert config.describe(place).sizes == {"train": 260, "validation": 40, "test": 100}
    assert max(mine.max() for mine in rows.values()) < 400


def test_gates_refuse_other_sizes_and_can_do_without_validation(place: Place) -> None:
    with pytest.raises(ValidationError):
        XorConfig.model_validate({"test": 0.5})
    config = XorConfig(validation="none")
    assert dict(config.describe(place).sizes) == {"train": 4, "test": 4}
    assert set(config.load(place).rows) == {"train", "test"}


@pytest.mark.parametrize(
    "name", ["mnist", "fashion_mnist", "kmnist", "cifar10", "cifar100", "svhn"]
)
def test_random_images_stand_in_for_a_named_set(name: str, place: Place) -> None:
    config = kinds_of(Data)[name].example()
    assert isinstance(config, DataConfig)
    assert not config.available(place)
    examples = config.model_copy(update={"validation": 5000, "limit": 1000}).stand_in()
    real = config.describe(place)
    assert examples.shape.inputs == real.inputs
    assert examples.shape.classes == real.classes
    assert examples.shape.sizes == {"train": 256, "validation": 64, "test": 64}
    assert "validation" not in config.model_copy(update={"validation": "none"}).stand_in().rows
