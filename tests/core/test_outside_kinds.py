"""Kinds from outside: who may bring one, when it is looked up, and what is told of a broken one."""

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any, Literal

import pytest
import torch
from pydantic import create_model

import nnlab
from nnlab.commands.menu.page import menu_page
from nnlab.comparison.comparison import load_comparison
from nnlab.config.loading import bundled_configs, load_config
from nnlab.config.outside import plugin_code
from nnlab.core import package
from nnlab.core.errors import ConfigError
from nnlab.core.kinds import kind_named, kinds_of
from nnlab.parts.activations import Activation
from nnlab.parts.activations.family import ActivationConfig
from nnlab.parts.initializers import BiasInitializer
from nnlab.parts.initializers.family import InitializerConfig
from nnlab.parts.initializers.plain import ZerosConfig
from nnlab.runs.building.compiling import recipe

MLP = {"kind": "mlp", "hidden": [4]}


class Doubled(ActivationConfig, frozen=True):
    """z, far enough."""

    kind: Literal["doubled"] = "doubled"

    def build(self) -> torch.nn.Module:
        return torch.nn.Threshold(-1e9, 0.0)  # z itself

    def value(self, z: Any) -> Any:
        return z

    def derivative(self, z: Any) -> Any:
        return 1.0 + 0.0 * z


@pytest.fixture
def doubled() -> Iterator[None]:
    nnlab.register(Doubled)
    yield
    package.remove_kind(Doubled)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Puts a module and the metadata of a package on the path."""
    before = set(sys.modules)

    def put(text: str, points: str) -> None:
        (tmp_path / "from_outside.py").write_text(dedent(text))
        about = tmp_path / "from_outside-1.2.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: from-outside\nVersion: 1.2\n")
        (about / "entry_points.txt").write_text(f"[nnlab.kinds]\n{points}\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    yield put
    for name in set(sys.modules) - before:
        if name == "from_outside":
            del sys.modules[name]


def config_with(activation: str) -> dict[str, Any]:
    return {"data": "xor", "model": {**MLP, "activation": activation}, "train": {"steps": 4}}


class TestRegistered:
    def test_it_is_trained_and_the_run_says_so(self, doubled: None, tmp_path: Path) -> None:
        summary = nnlab.train(config_with("doubled"), run_dir=tmp_path / "run")
        assert summary.status == "completed"
        assert '"doubled": "test_outside_kinds"' in (tmp_path / "run" / "env.json").read_text()

    def test_without_it_the_run_cannot_be_read(self, tmp_path: Path) -> None:
        nnlab.register(Doubled)
        nnlab.train(config_with("doubled"), run_dir=tmp_path / "run")
        package.remove_kind(Doubled)
        with pytest.raises(ConfigError, match="doubled was from test_outside_kinds"):
            nnlab.evaluate(tmp_path / "run", split="train")

    def test_registered_again_the_newest_holds(self, doubled: None) -> None:
        newer = type("Doubled", (Doubled,), {"__module__": __name__, "__doc__": "Newer."})
        newer.__qualname__ = Doubled.__qualname__
        nnlab.register(newer)
        assert kind_named(Activation, "doubled") is newer
        nnlab.register(Doubled)
        assert kind_named(Activation, "doubled") is Doubled

    def test_a_name_of_nnlab_is_refused(self) -> None:
        class Relu(Doubled, frozen=True):
            kind: Literal["relu"] = "relu"  # pyright: ignore[reportIncompatibleVariableOverride]

        with pytest.raises(ValueError, match="has a relu already"):
            nnlab.register(Relu)

    def test_an_incomplete_class_is_refused(self) -> None:
        class Half(ActivationConfig, frozen=True):
            kind: Literal["half"] = "half"

        with pytest.raises(TypeError, match="does not define build, derivative, value"):
            nnlab.register(Half)

    def test_what_is_on_no_menu_is_refused(self) -> None:
        with pytest.raises(TypeError, match="needs a class"):
            nnlab.register(Doubled())  # pyright: ignore[reportArgumentType]
        with pytest.raises(TypeError, match="has no name"):
            nnlab.register(int)  # pyright: ignore[reportArgumentType]

    def test_a_menu_of_few_that_nnlab_counts_on_stays_closed(self) -> None:
        class Ones(InitializerConfig, frozen=True):
            """1."""

            kind: Literal["ones_of_mine"] = "ones_of_mine"
            fill = ZerosConfig.fill

        nnlab.register(Ones)
        try:
            assert "ones_of_mine" not in kinds_of(BiasInitializer)
            assert kind_named(BiasInitializer, "ones_of_mine") is None
        finally:
            package.remove_kind(Ones)


def test_what_is_built_beside_the_plan_is_told() -> None:
    class Learning(Doubled, frozen=True):
        kind: Literal["learning"] = "learning"  # pyright: ignore[reportIncompatibleVariableOverride]

        def build(self) -> torch.nn.Module:
            return torch.nn.PReLU()

    nnlab.register(Learning)
    try:
        with pytest.raises(TypeError, match=r"hidden1_activation.weight: is \(1,\), the plan"):
            nnlab.train(config_with("learning"))
    finally:
        package.remove_kind(Learning)


class TestEntryPoints:
    def test_a_config_of_nnlabs_own_kinds_looks_nothing_up(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> Any:
            raise AssertionError("looked up")

        monkeypatch.setattr(package, "_points_on", refuse)
        for path in bundled_configs().values():
            load_comparison(path)

    def test_a_package_is_imported_for_its_own_names_alone(self, install: Any) -> None:
        install("raise RuntimeError('imported')", "one = from_outside:One")
        with pytest.raises(ConfigError, match="is not one of"):
            load_config(config_with("another"))
        assert "from_outside" not in sys.modules
        with pytest.raises(ConfigError, match="'one' of the package from-outside 1"):
            load_config(config_with("one"))

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("raise RuntimeError('no')", "RuntimeError: no"),
            ("One = 3", "it is int, needs a class"),
            ("", "has no attribute 'One'"),
            (
                """
                from typing import Literal
                from nnlab.parts.activations.textbook import ReluConfig, IdentityConfig
                One = IdentityConfig
                """,
                "the class calls itself 'identity'",
            ),
        ],
    )
    def test_a_broken_one_is_told_and_hides_no_other(
        self, install: Any, text: str, why: str
    ) -> None:
        install(text, "one = from_outside:One")
        with pytest.raises(ConfigError) as caught:
            load_config(config_with("one"))
        told = str(caught.value)
        assert "model.activation: 'one' of the package from-outside 1.2 (from_outside:One)" in told
        assert why in told
        page = " ".join(menu_page(None).split())
        assert "relu" in page
        assert "not usable: 'one' of the package from-outside 1.2" in page

    def test_nnlabs_own_name_cannot_be_taken(self, install: Any) -> None:
        install("raise RuntimeError('imported')", "relu = from_outside:Relu")
        assert load_config(config_with("relu")).model.kind == "mlp"
        assert "from_outside" not in sys.modules


class TestCompiledSteps:
    def test_what_is_in_no_file_is_not_compiled(
        self, doubled: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        config = load_config(config_with("doubled"))
        assert plugin_code(config) is not None
        module = sys.modules[Doubled.__module__]
        monkeypatch.setattr(module, "__file__", None)
        assert plugin_code(config) is None

    def test_nor_is_a_class_that_was_made_while_a_program_ran(self) -> None:
        kind: Any = create_model(
            "Made", __base__=Doubled, __module__=Doubled.__module__, kind=(Literal["made"], "made")
        )
        assert plugin_code(kind()) is None

    def test_another_code_is_another_recipe(self, install: Any, tmp_path: Path) -> None:
        text = """
        from typing import Any, Literal
        from nnlab.parts.activations.family import ActivationConfig
        class One(ActivationConfig, frozen=True):
            kind: Literal["one"] = "one"
            def build(self): ...
            def value(self, z): return z
            def derivative(self, z): return z
        """
        install(text, "one = from_outside:One")
        config = load_config(config_with("one"))
        first = plugin_code(config)
        (tmp_path / "from_outside.py").write_text(dedent(text) + "\n# changed\n")
        assert first is not None
        assert plugin_code(config) not in (None, first)


def test_recipes_hold_the_code_of_outside_kinds() -> None:
    """That `recipe` asks for it; what it answers is tested above."""
    assert "plugin_code" in recipe.__code__.co_names
