import pytest

from nnlab.commands.menu import page as menu_fields
from nnlab.commands.menu.page import SECTIONS, menu_page
from nnlab.config.described import (
    MENUS,
    attribute_docs,
    fields_of,
    help_of,
    language_sections,
    typed,
)
from nnlab.core.errors import ConfigError
from nnlab.core.kinds import Kind, kinds_of
from nnlab.parts.layers.weighted import ConvConfig
from nnlab.parts.losses.regression import HuberConfig
from nnlab.parts.optimizers.descent import SgdConfig

KINDS = [(menu, kind) for menu, (union, _) in MENUS.items() for kind in kinds_of(union).values()]


def test_lists_every_menu_and_kind() -> None:
    text = menu_page(None)
    for menu, kind in KINDS:
        assert menu in text
        assert kind.name() in text


def test_every_kind_of_the_language_is_on_a_menu() -> None:
    listed = {kind for _, kind in KINDS}
    assert {cls for cls in language_sections() if issubclass(cls, Kind)} <= listed


@pytest.mark.parametrize("menu", list(MENUS))
def test_a_menu_has_a_line_and_the_source_of_each_kind(menu: str) -> None:
    words = menu_page(menu).split()
    for kind in kinds_of(MENUS[menu][0]).values():
        for part in help_of(kind):
            assert set(part.split()) <= set(words)


@pytest.mark.parametrize(
    ("menu", "kind"), KINDS, ids=lambda v: v if isinstance(v, str) else v.name()
)
def test_a_kind_shows_its_fields(menu: str, kind: type[Kind]) -> None:
    text = menu_page(kind.name()) if kind.name() not in MENUS else menu_page(menu)
    assert kind.name() in text
    assert max(map(len, text.splitlines())) <= 80
    for field in fields_of(kind):
        assert "object" not in field.type, "a Python name, not a word"
        assert "<" not in field.type.replace("<=", "").replace("< ", "")


def test_a_field_shows_type_range_and_default() -> None:
    lines = menu_page("huber").splitlines()
    assert "delta  number > 0  1" in lines
    (delta,) = fields_of(HuberConfig)
    assert (delta.type, delta.default) == ("number > 0", "1")


def test_a_field_without_a_default_says_so() -> None:
    fields = {field.name: field for field in fields_of(ConvConfig)}
    assert fields["channels"].default == ""
    number = "whole number >= 0"
    assert fields["padding"].type == f"same or valid or {number} or [{number}, {number}]"
    assert "must be given" in menu_page("conv")


def test_a_name_on_two_menus_shows_both() -> None:
    assert menu_page("constant").count("chosen in") == 2


@pytest.mark.parametrize("name", list(SECTIONS))
def test_sections_have_a_page(name: str) -> None:
    assert "default" in menu_page(name)


def test_reads_the_help_of_fields_from_both_places() -> None:
    docs = attribute_docs(SgdConfig)
    assert docs["lr"].startswith("the base learning rate")
    assert "parameters with two axes" in attribute_docs(SECTIONS["regularize"])["on"]


def test_says_types_in_words() -> None:
    assert typed(tuple[int, ...]) == "list of (whole number)"
    assert typed(bool | None) == "true or false or null"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("adm", "did you mean adam"),
        ("learning_rate", r"\(learning_rate is called lr here\)"),
        ("filters", r"\(filters is called channels here\)"),
        ("outputSize", r"\(outputSize is called size here\)"),
        ("momentun", "did you mean momentum"),
        ("kaiming_normal", "is called he_normal here"),
        ("qqqq", "menus are"),
    ],
)
def test_helps_with_a_wrong_name(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        menu_page(name)


@pytest.mark.parametrize("name", menu_fields.field_names())
def test_a_field_shows_each_of_its_owners(name: str) -> None:
    text = menu_page(name)
    assert max(map(len, text.splitlines())) <= 80
    if name not in SECTIONS and name not in MENUS:
        for _, kind in KINDS:
            if name in kind.model_fields:
                assert kind.name() in text


def test_a_field_shows_what_each_owner_takes() -> None:
    lines = menu_page("lr").splitlines()
    assert lines[0] == "lr (a field)"
    defaults = {
        fields["lr"].default
        for kind in kinds_of(MENUS["optimizers"][0]).values()
        if "lr" in (fields := {f.name: f for f in fields_of(kind)})
    }
    assert defaults <= set(" ".join(lines).split())


def test_a_field_of_a_section_says_where_it_stands() -> None:
    assert "train.early_stopping" in menu_page("min_delta")
    assert "data.columns" in menu_page("drop")
    assert "the top level" in menu_page("optimizer")


def test_a_name_of_a_kind_and_a_field_shows_both() -> None:
    text = menu_page("dropout")
    assert "dropout (layers, chosen in" in text
    assert "dropout (a field)" in text
