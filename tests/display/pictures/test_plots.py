"""`show --data --plot` and `menu activations --plot`."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from building import make
from PIL import Image

from nnlab.commands.menu import plot as menu_plot
from nnlab.commands.show import data_plot
from nnlab.commands.show.page import show_page
from nnlab.config.described import MENUS
from nnlab.core.errors import ConfigError
from nnlab.core.kinds import kinds_of

DATA: list[Any] = ["digits", "moons", "iris", "diabetes", "function", "xor"]


@pytest.mark.parametrize("data", DATA)
def test_all_forms_of_data_are_drawn(data: str) -> None:
    model: Any = {"kind": "mlp", "hidden": [2]}
    drawn = []
    for limit in (None, 20 if data != "xor" else None):
        made = make(data={"kind": data, **({"limit": limit} if limit else {})}, model=model)
        drawn.append(data_plot.draw_data(made.experiment, made.examples))
        Image.open(BytesIO(drawn[-1])).verify()
    assert (drawn[0] != drawn[1]) == (data != "xor")


def test_images_are_shown_class_by_class_and_augmented() -> None:
    model: Any = {"kind": "mlp", "hidden": [2]}
    made = make(data="digits", model=model)
    rows = data_plot.chosen_examples(made.examples)
    assert np.array_equal(made.examples.targets[rows], np.repeat(np.arange(10), 6).reshape(10, 6))
    augment = [{"kind": "shift", "pixels": 2}]
    moved = make(data={"kind": "digits", "augment": augment}, model=model)
    assert data_plot.draw_data(moved.experiment, moved.examples) != data_plot.draw_data(
        made.experiment, made.examples
    )


def test_a_plot_needs_data_and_a_png(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give --data too"):
        show_page("moons", [], data=False, plot=tmp_path / "a.png", as_json=False)
    with pytest.raises(ConfigError, match="ends in"):
        show_page("moons", [], data=True, plot=tmp_path / "a.jpg", as_json=False)
    show_page("moons", [], data=True, plot=tmp_path / "a.png", as_json=False)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_every_activation_but_softmax_is_a_curve() -> None:
    kinds = kinds_of(MENUS["activations"][0])
    flat = {name for name, kind in kinds.items() if menu_plot.elementwise(kind.example())}  # pyright: ignore
    assert set(kinds) - flat == {"softmax"}


def test_activations_are_drawn(tmp_path: Path) -> None:
    drawn = [
        menu_plot.plot_activations(name, tmp_path / f"{name}.png") for name in ("relu", "tanh")
    ]
    assert drawn[0].read_bytes() != drawn[1].read_bytes()
    with pytest.raises(ConfigError, match="mixes its inputs"):
        menu_plot.plot_activations("softmax", tmp_path / "x.png")
    with pytest.raises(ConfigError, match="draws activations, not losses"):
        menu_plot.plot_activations("losses", tmp_path / "x.png")
