"""Where values were written, of a config on which others were laid."""

from itertools import product
from random import Random

import pytest

from nnlab.config.origins import Origins
from nnlab.core.errors import Path

PATHS: list[Path] = [path for size in range(1, 4) for path in product("ab", repeat=size)]


@pytest.mark.parametrize("seed", range(40))
def test_a_place_is_the_same_whether_one_asks_for_it_or_for_all(seed: int) -> None:
    random = Random(seed)
    layers: list[dict[Path, str]] = [
        {path: f"f{i}:{k}:1" for k, path in enumerate(random.sample(PATHS, 4))} for i in range(4)
    ]
    whole = Origins("f", {}, layers[0])
    for places in layers[1:]:
        whole = whole.replaced(places)
    # A place that is laid on a path hides what was inside of it before.
    expected: dict[Path, str] = {}
    for places in layers:
        for path in [*expected]:
            if any(path[:depth] in places for depth in range(len(path) + 1)):
                del expected[path]
        expected |= places
    assert whole.inside(()) == expected
    for path, place in expected.items():
        alone = Origins("f", {}, layers[0])
        for places in layers[1:]:
            alone = alone.replaced(places)
        assert alone.place(path) == place
