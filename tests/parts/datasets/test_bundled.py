import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnlab.parts.datasets.downloads.bundled import (
    BreastCancerConfig,
    DiabetesConfig,
    DigitsConfig,
    IrisConfig,
    WineConfig,
)
from nnlab.parts.datasets.family import Place

HERE = Place(Path(), Path(), Path())


def original(name: str, **options: bool) -> Any:
    from sklearn import datasets

    return getattr(datasets, name)(**options)


@pytest.mark.parametrize(
    ("config", "load"),
    [
        (IrisConfig(), "load_iris"),
        (WineConfig(), "load_wine"),
        (BreastCancerConfig(), "load_breast_cancer"),
    ],
)
def test_tables_are_those_of_scikit_learn(config: IrisConfig, load: str) -> None:
    found, oracle = config.load(HERE), original(load)
    np.testing.assert_array_equal(found.inputs, oracle.data.astype(np.float32))
    np.testing.assert_array_equal(found.targets, oracle.target)
    assert found.shape.columns == tuple(oracle.feature_names)
    assert found.shape.classes == tuple(oracle.target_names)


def test_digits_are_those_of_scikit_learn() -> None:
    found, oracle = DigitsConfig().load(HERE), original("load_digits")
    assert isinstance(found.inputs, np.ndarray)
    np.testing.assert_array_equal(found.inputs[:, 0], oracle.images)
    np.testing.assert_array_equal(found.targets, oracle.target)
    assert found.inputs.dtype == np.uint8
    assert (found.inputs * found.factor).max() == 1.0


def test_diabetes_is_that_of_scikit_learn_as_measured() -> None:
    found, oracle = DiabetesConfig().load(HERE), original("load_diabetes", scaled=False)
    np.testing.assert_array_equal(found.inputs, oracle.data.astype(np.float32))
    np.testing.assert_array_equal(found.targets[:, 0], oracle.target.astype(np.float32))
    assert found.shape.columns == tuple(oracle.feature_names)


def test_reading_imports_neither_scikit_learn_nor_torch() -> None:
    code = (
        "import sys; from pathlib import Path; from nnlab.parts.datasets import Data\n"
        "from nnlab.parts.datasets.family import Place\n"
        "from nnlab.parts.datasets.downloads.bundled import DigitsConfig\n"
        "assert 'numpy' not in sys.modules, 'numpy at import'\n"
        "DigitsConfig().describe(Place(Path(), Path(), Path()))\n"
        "assert 'numpy' not in sys.modules, 'numpy to describe'\n"
        "DigitsConfig().load(Place(Path(), Path(), Path()))\n"
        "print(sorted({'sklearn', 'torch', 'PIL', 'scipy'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert found.stdout == "[]\n", found.stderr
