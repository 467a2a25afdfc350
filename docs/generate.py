"""The pages and tables that are written from the code whenever the documentation is built.

`menus/` gets a page for each menu, for the sections and for the readings: what `nnlab menu` prints,
from the same classes. `_generated/` gets what other pages include: the options of each command, the
lessons, the rooms of the package. None of it is kept in git, so none of it can age.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from nnlab.cli import COMMANDS, app
from nnlab.commands.menu.page import SECTIONS
from nnlab.commands.menu.plot import plot_activations
from nnlab.commands.menu.regularization import MEANS
from nnlab.comparison.comparison import settle_source
from nnlab.comparison.lesson import PARTS, lesson_of
from nnlab.config.described import MENUS, Described, fields_of, help_of
from nnlab.config.loading import read_text
from nnlab.config.run_config import RunConfig
from nnlab.core.kinds import Kind, kinds_of
from nnlab.core.package import FOLDER
from nnlab.training.probes.readings import DATA, READINGS

EXAMPLES = {
    "activations": "model: {kind: mlp, hidden: [16], activation: {kind: leaky_relu, slope: 0.1}}",
    "augments": "data: {kind: digits, augment: [{kind: shift, pixels: 1}, noise]}",
    "averages": "train: {averaging: {kind: ema, decay: 0.99}}",
    "data": "data: {kind: spirals, samples: 1000, noise: 0.05}",
    "initializers": "model: {kind: mlp, hidden: [16], init: {kind: normal, std: 0.1}}",
    "layers": "model: {kind: stack, layers: [{kind: linear, units: 16}, {kind: dropout, p: 0.2}]}",
    "losses": "loss: {kind: cross_entropy, label_smoothing: 0.1}",
    "models": "model: {kind: mlp, hidden: [128, 64]}",
    "norms": "model: {kind: mlp, hidden: [16], norm: {kind: group, groups: 4}}",
    "optimizers": "optimizer: {kind: sgd, lr: 0.1, momentum: 0.9}",
    "rules": "rule: perceptron",
    "schedules": "schedule: {kind: cosine, warmup: 1}",
    "scores": "scores: [accuracy, {kind: f1, average: macro}]",
}
"""A line of a config for each menu; tests/docs checks each."""
ROOMS = (
    *("core", "training", "parts", "models", "rules", "config"),
    *("experiment", "diagnosis", "display", "runs", "comparison", "commands", "studio"),
)
"""From the ground up: a room imports from those before it."""
LESSONS_ABOUT = {
    "A unit and its weights": (
        *("xor_by_hand", "line_detector", "perceptron", "bias", "no_nonlinearity"),
        "universal_approximation",
    ),
    "How it begins": (
        *("zero_init", "xavier_or_he", "vanishing_gradient", "exploding_gradient", "dead_relu"),
        *("batch_norm", "residual"),
    ),
    "How it learns": (
        *("learning_rate", "batch_size", "ravine", "saddle", "quadratic_or_cross_entropy"),
        "unscaled_inputs",
    ),
    "What it has learned": (
        *("learning_curve", "random_labels", "overfitting", "double_descent", "convolution"),
        "transfer",
    ),
    "How it remembers": ("latch", "adding", "clipping", "window"),
    "How it forecasts and writes": ("naive_forecast", "horizon", "spelling", "teacher_forcing"),
    "What its numbers mean": ("imbalance", "confidence_on_noise", "adversarial"),
}


def generate(docs: Path) -> None:
    """Writes all of it into a folder of documentation."""
    for path, text in _pages():
        file = docs / path
        file.parent.mkdir(parents=True, exist_ok=True)
        # A file that says the same keeps its date, so that Sphinx need not read it again.
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
    plot_activations("activations", docs / "menus" / "activations.png")


def _pages() -> Iterator[tuple[str, str]]:
    """Path and text of each file."""
    yield "menus/index.md", menus_page()
    for menu in MENUS:
        yield f"menus/{menu}.md", menu_page(menu)
    yield "menus/sections.md", sections_page()
    yield "menus/readings.md", readings_page()
    yield "menus/regularization.md", regularization_page()
    for command, text in options():
        yield f"_generated/options/{command}.md", text
    yield "_generated/lessons.md", lessons()
    yield "_generated/teaching.md", lesson_needs()
    yield "_generated/rooms.md", rooms()


def menus_page() -> str:
    """The list of menus, and the tree of their pages."""
    rows = [
        (f"[{menu}]({menu}.md)", _place(where), " ".join(map(_code, kinds_of(u))))
        for menu, (u, where) in MENUS.items()
    ]
    pages = "\n".join([*MENUS, "sections", "readings", "regularization"])
    return f"""# Menus

Wherever a config has a choice, the choices are a menu. `nnlab menu` lists them all,
`nnlab menu losses` explains one menu, `nnlab menu huber` one entry with its fields, and
`nnlab menu lr` every place that has such a field. These pages are written from the same classes.

{_table(("menu", "chosen in", "kinds"), rows)}

Also: [the sections that are no choice](sections.md) (`train`, `log`, ...),
[what every curve means](readings.md), and [what there is against overfitting](regularization.md).

```{{toctree}}
:hidden:

{pages}
```
"""


def menu_page(menu: str) -> str:
    """One menu: its kinds with formula, source, fields and defaults."""
    union, where = MENUS[menu]
    kinds = kinds_of(union)
    shared = _shared(list(kinds.values()))
    parts = [
        f"# {menu.capitalize()}",
        f"Chosen in {_place(where)}:",
        f"```yaml\n{EXAMPLES[menu]}\n```",
        f"The name of a kind alone takes its defaults. `nnlab menu {menu}` prints this page in the "
        "terminal.",
    ]
    if menu == "activations":
        drawn = "Each activation and its derivative, drawn by nnlab menu activations --plot"
        parts.append(f"![{drawn}](activations.png)")
    if shared:
        parts += ["## Shared fields", "Every kind has them, unless it says otherwise:"]
        parts.append(_fields(shared))
    for name, kind in kinds.items():
        parts += [f"## {name}", *_said(kind), *_own_fields(kind, shared)]
    return _joined(parts)


def _own_fields(kind: type[Kind], shared: Sequence[Described]) -> Iterator[str]:
    """The fields of one kind beside those that it shares, and which of these it lacks."""
    fields = fields_of(kind)
    if own := [field for field in fields if field not in shared]:
        yield _fields(own)
    names = {field.name for field in fields}
    if not names:
        yield "It has no fields."
    elif lacking := [_code(field.name) for field in shared if field.name not in names]:
        yield f"Without {', '.join(lacking)}."


def sections_page() -> str:
    """The top level of a config, and the sections that are no choice of kinds."""
    parts = [
        "# Sections",
        "What stands at the top of a config, and the sections that are no choice of kinds. "
        "`nnlab menu train` prints one of them in the terminal.",
        "## The top level",
        _fields(fields_of(RunConfig)),
    ]
    for name, section in SECTIONS.items():
        parts += [f"## {name}", *_said(section), _fields(fields_of(section))]
    return _joined(parts)


def readings_page() -> str:
    """What each curve means."""
    parts = [
        "# Readings",
        "What training shows beside losses and scores, in `metrics.jsonl` and TensorBoard. "
        "`nnlab menu readings` prints it in the terminal. With a layer behind it, such as "
        "`grad_norm/hidden1.weight`, it is the name of a curve, and what "
        "[expect](../language.md#expect) takes; `nnlab check` says if a run has no such reading.",
        "## What a number is measured on",
        _table(("measured on", ""), [(key, _prose(text)) for key, text in DATA.items()]),
        "## The numbers",
        _table(("reading", "what it is", "measured on", "when"), [*map(_reading, READINGS)]),
    ]
    return _joined(parts)


def _reading(key: str) -> tuple[str, ...]:
    """The row of a reading: its name, its meaning with formula, unit and source, and of what."""
    found = READINGS[key]
    formula = _code(found.formula) + ("" if found.unit == "1" else f" {found.unit}")
    parts = (_prose(found.plain), formula, _prose(found.source))
    return _code(key), ". ".join(part for part in parts if part), found.data, _code(found.when)


def regularization_page() -> str:
    """What there is against overfitting, and where it is said."""
    rows = [
        (means.name, _code(means.place), _code(f"--set {means.example}") if means.example else "")
        for means in MEANS
    ]
    text = "What there is against overfitting, and which line of a config says it."
    return _joined(["# Regularization", text, _table(("means", "said in", "as --set"), rows)])


def options() -> Iterator[tuple[str, str]]:
    """For each command, and each command of `runs`, the table of its arguments and options."""
    listed = typer.main.get_command(app)
    for command in (name for names in COMMANDS.values() for name in names):
        yield from _options_of(listed, command)


def _options_of(group: Any, name: str) -> Iterator[tuple[str, str]]:
    command = group.get_command(None, name)
    context = command.context_class(command, info_name=name)
    rows: list[tuple[str, str]] = []
    for parameter in command.params:
        if "completion" in parameter.name:
            continue
        record = parameter.get_help_record(context)
        left, right = record or (parameter.make_metavar(context), "")
        rows.append((_code(re.sub(r"\s+", " ", left)), _prose(re.sub(r"\s+", " ", right))))
    table = _table(("argument or option", "what it does"), rows) if rows else "It has no options."
    yield name, f"{table}\n"
    for inner in getattr(command, "commands", {}):
        yield from ((f"{name}-{n}", text) for n, text in _options_of(command, inner))


def lessons() -> str:
    """Each lesson with its question, what to predict, what to observe and what to change next."""
    parts: list[str] = []
    for about, names in LESSONS_ABOUT.items():
        parts.append(f"## {about}")
        for name in names:
            text = (_configs() / "lessons" / f"{name}.yaml").read_text()
            title = text.partition("\n")[0].removeprefix("# ")
            found = lesson_of(text)
            lines = [
                f"**{part}:** {_prose(' '.join(found[part].removeprefix(part).split()))}"
                for part in PARTS
                if part in found
            ]
            parts += [f"### {name}", _prose(title), f"`nnlab train lessons/{name}`", *lines]
    return _joined(parts)


def lesson_needs() -> str:
    """What each lesson needs: its data, how many variants, the largest network, the longest run."""
    rows: list[tuple[str, ...]] = []
    for about, names in LESSONS_ABOUT.items():
        for name in names:
            settled = settle_source(read_text(f"lessons/{name}"))
            experiments = settled.experiments.values()
            rows.append(
                (
                    about if name == names[0] else "",
                    _code(name),
                    settled.first.config.data.kind,
                    str(len(experiments)),
                    f"{max(each.design.parameters for each in experiments):,}",
                    f"{max(each.total or 0 for each in experiments):,}",
                )
            )
    return _table(("about", "lesson", "data", "variants", "parameters", "updates"), rows)


def _configs() -> Path:
    """The bundled configs: inside an installed package, beside it in a checkout."""
    inside = FOLDER / "configs"
    return inside if inside.exists() else FOLDER.parent / "configs"


def rooms() -> str:
    """What the rooms of the package say of themselves."""
    parts: list[str] = []
    for room in ROOMS:
        tree = ast.parse((FOLDER / room / "__init__.py").read_text())
        parts += [f"### nnlab/{room}/", _paragraphs(ast.get_docstring(tree) or "")]
    return _joined(parts)


def _said(cls: type[BaseModel]) -> list[str]:
    """The help of a class as paragraphs, and its formula where it has one."""
    first, rest = help_of(cls)
    parts = [_prose(part) for part in (first, *rest.splitlines()) if part]
    if formula := getattr(cls, "formula", ""):
        parts.append(f"Formula: {_code(formula)}")
    return parts


def _shared(kinds: Sequence[type[Kind]]) -> list[Described]:
    """The fields that most kinds of a menu have alike, at least two thirds of them."""
    counted = Counter(field for kind in kinds for field in fields_of(kind))
    return [field for field, times in counted.items() if 3 * times >= 2 * len(kinds) > 2]


def _fields(fields: Iterable[Described]) -> str:
    rows: list[tuple[str, ...]] = []
    for field in fields:
        default = _code(field.default) if field.default else "required"
        rows.append((_code(field.name), _prose(field.type), default, _prose(field.help)))
    return _table(("field", "type", "default", ""), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    escaped = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *escaped))


def _joined(parts: Iterable[str]) -> str:
    return "\n\n".join(parts) + "\n"


def _paragraphs(text: str) -> str:
    return _joined(_prose(" ".join(part.split())) for part in text.split("\n\n")).strip()


def _place(where: str) -> str:
    """Where a config chooses: the field as code, the rest as words."""
    field, comma, rest = where.partition(",")
    return f"{_code(field)}{comma}{rest}"


def _code(text: str) -> str:
    """Text between backticks, also where it holds some."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _prose(text: str) -> str:
    """A docstring's words as Markdown: signs stay signs, `code` stays code, papers become links."""
    # An option is code, or its two hyphens would become a dash.
    text = re.sub(r"(?<![`\w-])(--[a-z][\w-]*(?: [\w.]+=[\w.]+)?)", r"`\1`", text)
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(
        piece if piece.startswith("`") else _linked(re.sub(r"([\\*_<>\[\]#$~^{}])", r"\\\1", piece))
        for piece in pieces
    )


def _linked(text: str) -> str:
    text = re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", text)
    return re.sub(r"doi:(10\.\S+?)(?=[,;)]*(?:\.?\s|\.?$))", _doi, text)


def _doi(found: re.Match[str]) -> str:
    number = found[1].replace("\\", "")
    return f"[doi:{found[1]}](<https://doi.org/{number}>)"
