from pathlib import Path
from typing import Any

import pytest

from nnlab.commands.menu.page import menu_page
from nnlab.commands.menu.regularization import MEANS, Means
from nnlab.config.loading import load_config, place_for
from nnlab.core.contracts import Machine
from nnlab.experiment.settle import settle
from nnlab.parts.losses.classes import CrossEntropyConfig

BASE: dict[str, Any] = {"data": "digits", "model": {"kind": "mlp", "hidden": [8]}}


def test_the_menus_name_the_page() -> None:
    assert "nnlab menu regularization" in menu_page(None)


def test_every_means_is_on_the_page_of_80_columns() -> None:
    text = menu_page("regularization")
    assert max(map(len, text.splitlines())) <= 80
    for means in MEANS:
        assert means.name in text
        assert means.place in text


@pytest.mark.parametrize("means", [m for m in MEANS if m.example], ids=lambda m: m.name)
def test_every_example_is_taken_and_changes_its_place(means: Means) -> None:
    if "smoothing" in means.name and "label_smoothing" not in CrossEntropyConfig.model_fields:
        pytest.skip("cross_entropy has no label_smoothing yet")
    place = place_for(Path.cwd())
    config = load_config(BASE, [means.example])
    settle(config, place, Machine("cpu", 1))
    plain: Any = load_config(BASE)
    changed: Any = config
    for key in means.place.split("."):
        plain, changed = getattr(plain, key, None), getattr(changed, key)
    assert changed != plain
