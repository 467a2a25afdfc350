"""What holds for every kind of the small menus."""

import subprocess
import sys
from inspect import getsource
from typing import Any

import pytest
from pydantic import TypeAdapter

from nnlab.core.kinds import Kind, kinds_of
from nnlab.models import Model
from nnlab.parts.activations import Activation
from nnlab.parts.augments import Augment
from nnlab.parts.averages import RunningAverage
from nnlab.parts.datasets import Data
from nnlab.parts.initializers import BiasInitializer, Initializer
from nnlab.parts.layers import AnyLayer
from nnlab.parts.losses import Loss
from nnlab.parts.optimizers import Optimizer
from nnlab.parts.schedules import Schedule
from nnlab.parts.scores import AnyScore
from nnlab.rules import LearningRule

MENUS: tuple[Any, ...] = (
    Activation,
    Augment,
    RunningAverage,
    BiasInitializer,
    Initializer,
    Loss,
    Optimizer,
    Schedule,
    AnyScore,
)
KINDS = [(menu, kind) for menu in MENUS for kind in kinds_of(menu).values()]


@pytest.mark.parametrize(
    ("menu", "kind"), KINDS, ids=[f"{kind.__module__}.{kind.name()}" for _, kind in KINDS]
)
class TestEveryKind:
    def test_has_help_of_one_line(self, menu: Any, kind: type[Kind]) -> None:
        first = (kind.__doc__ or "").splitlines()[0]
        assert first.endswith(".")
        assert len(first) <= 100

    def test_reads_back_what_it_writes(self, menu: Any, kind: type[Kind]) -> None:
        example = kind.example()
        assert TypeAdapter(menu).validate_python(example.model_dump()) == example

    def test_has_no_field_with_its_own_name(self, menu: Any, kind: type[Kind]) -> None:
        assert kind.name() not in kind.model_fields

    def test_cannot_be_changed(self, menu: Any, kind: type[Kind]) -> None:
        with pytest.raises(ValueError, match="frozen"):
            kind.example().kind = "other"  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("menu", MENUS)
def test_kinds_stand_in_the_order_of_the_alphabet(menu: Any) -> None:
    assert list(kinds_of(menu)) == sorted(kinds_of(menu))


def test_menus_import_neither_torch_nor_numpy() -> None:
    modules = sorted({kind.__module__ for _, kind in KINDS})
    code = f"""
import sys
for module in {modules}:
    __import__(module)
print(sorted({{"torch", "numpy"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("menu", [*MENUS, Data, AnyLayer, LearningRule, Model])
def test_kinds_spell_their_name_as_a_menu_looks_for_it(menu: Any) -> None:
    for name, kind in kinds_of(menu).items():
        assert f'    kind: Literal["{name}"]' in getsource(kind)


def test_a_name_imports_the_file_that_spells_it_and_no_other() -> None:
    code = """
import sys
from nnlab.config.loading import load_config
load_config({"data": "spirals", "model": {"kind": "mlp", "hidden": [4]}, "optimizer": "muon"})
print(*sorted(name for name in sys.modules if "datasets.downloads" in name or "optimizers" in name))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [
        "nnlab.parts.optimizers",
        *(f"nnlab.parts.optimizers.{name}" for name in ("adam", "family", "muon", "naming")),
    ]
