"""The pages that are written from the code: everything has one, and all that they show is so."""

from pathlib import Path

import pytest
import typer
from documents import ROOT
from generate import EXAMPLES, LESSONS_ABOUT, ROOMS, generate
from test_architecture import ROOMS as ROOMS_OF_THE_HOUSE

from nnlab.cli import COMMANDS, app
from nnlab.comparison.comparison import settle_source
from nnlab.config.described import MENUS, fields_of
from nnlab.config.loading import Text, bundled_configs
from nnlab.core.kinds import kinds_of
from nnlab.training.probes.readings import READINGS

NAMES = [name for names in COMMANDS.values() for name in names]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    generate(folder)
    return folder


@pytest.mark.parametrize("menu", MENUS)
def test_the_page_of_a_menu_has_every_kind_with_every_field(written: Path, menu: str) -> None:
    page = (written / "menus" / f"{menu}.md").read_text()
    shared, *sections = page.split("\n## ")
    shared = "\n".join([shared, *(s for s in sections if s.startswith("Shared fields"))])
    by_name = {text.partition("\n")[0]: text for text in sections}
    for name, kind in kinds_of(MENUS[menu][0]).items():
        for field in fields_of(kind):
            own = f"\n| `{field.name}` |"
            assert own in by_name[name] or own in shared, f"{name}.{field.name}"
            if own in by_name[name] and field.default:
                assert f"`{field.default}`" in by_name[name]
        for field in fields_of(kind):
            assert f"Without `{field.name}`" not in by_name[name]


def test_a_field_that_a_kind_lacks_is_named(written: Path) -> None:
    page = (written / "menus" / "optimizers.md").read_text()
    (section,) = [s for s in page.split("\n## ") if s.startswith("lbfgs\n")]
    assert "Without `groups`" in section


@pytest.mark.parametrize("menu", MENUS)
def test_the_example_of_a_menu_is_written_right(menu: str, tmp_path: Path) -> None:
    example = EXAMPLES[menu]
    needed = {"data": "data: blobs", "model": "model: {kind: mlp, hidden: [8]}"}
    if menu == "rules":
        needed["model"] = "model: linear"
    text = "\n".join([example, *(v for k, v in needed.items() if not example.startswith(k))])
    group, _ = settle_source(Text(text, menu, tmp_path, "example"))
    assert not group.compares


def test_every_reading_has_a_line(written: Path) -> None:
    page = (written / "menus" / "readings.md").read_text()
    for key in READINGS:
        assert f"\n| `{key}` |" in page


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_a_section_with_its_options(written: Path, name: str) -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    (section,) = [s for s in page.split("\n## ") if s.startswith(f"{name}\n")]
    assert f"```{{include}} _generated/options/{name}.md" in section
    table = (written / "_generated" / "options" / f"{name}.md").read_text()
    command = typer.main.get_command(app).get_command(None, name)  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]
    for parameter in command.params:
        for option in parameter.opts if parameter.param_type_name == "option" else ():
            assert option in table or "completion" in option


def test_every_lesson_stands_on_the_page(written: Path) -> None:
    lessons = {name for name in bundled_configs() if name.startswith("lessons/")}
    assert {f"lessons/{name}" for names in LESSONS_ABOUT.values() for name in names} == lessons
    page = (written / "_generated" / "lessons.md").read_text()
    for name in lessons:
        _, _, section = page.partition(f"### {name.removeprefix('lessons/')}\n")
        section = section.partition("\n### ")[0]
        assert f"`nnlab train {name}`" in section
        for part in ("Question", "Predict", "Observe"):
            assert f"**{part}:**" in section


def test_the_rooms_are_those_of_the_house() -> None:
    assert list(ROOMS) == ROOMS_OF_THE_HOUSE


def test_files_that_say_the_same_are_left_alone(written: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in written.rglob("*.md")}
    generate(written)
    assert {path: path.stat().st_mtime_ns for path in written.rglob("*.md")} == before
