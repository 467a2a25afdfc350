"""The page of `nnlab explain`, and its summary for the terminal."""

from pathlib import Path

import numpy as np
from torch import Tensor

from nnlab.core import files
from nnlab.core.text import render_text, text_grid
from nnlab.display.web.html import (
    Markup,
    html_document,
    number_text,
    page_section,
    scrolling_table,
    tag,
)
from nnlab.runs.explaining.answers import Explained
from nnlab.runs.explaining.maximize import Sought
from nnlab.runs.explaining.methods import METHODS
from nnlab.runs.explaining.shown import (
    MOST_COLUMNS,
    answer_section,
    column_names,
    flat_map,
    heat_colors,
    last_rank,
    picture_uri,
    rank_text,
    verdict_of,
)
from nnlab.runs.finished.evaluate import eval_folder

_SIGNS_OF_IMAGES = (
    "Red speaks for the answer, blue against it; methods without a sign show red alone."
)
_SIGNS_OF_STEPS = (
    "Of integrated gradients and occlusion red speaks for the answer, blue against it; the other "
    "methods have no sign."
)
_SIGNS_OF_COLUMNS = (
    "Of integrated gradients and occlusion numbers above 0 speak for the answer, those below 0 "
    "against it; the other methods have no sign."
)
_NOTHING = {False: "0 after scaling", True: "an embedding of 0"}
"""What stands for "nothing is there", of numbers and of tokens."""
_LOOKS_FOR = "What an output looks for"


def write_page(found: Explained) -> Path:
    """Writes RUN/eval/explain-SPLIT.html and says where it is."""
    path = eval_folder(found.opened.run) / f"explain-{found.split}.html"
    files.write_file(path, page_of(found))
    return path


def summary_of(found: Explained) -> str:
    """What the terminal shows: how well each method may be trusted here."""
    rows = [
        (METHODS[name].title, rank_text(last_rank(ranks)), verdict_of(found, ranks))
        for name, ranks in found.ranks.items()
    ]
    head = ("method", "alike with random weights", "")
    return render_text(
        f"{found.opened.name}: {len(found.numbers)} rows of {found.split} explained",
        "",
        text_grid(rows, head=head, right=(1,)),
        f"the parts of integrated gradients add up to within {found.integrated.miss:.2%} of the "
        f"difference between the output and that of the baseline, "
        f"{_NOTHING[found.question.tokens]}",
    )


def page_of(found: Explained) -> str:
    """The page as HTML: how each row is explained, then what may be believed of it."""
    rows = [answer_section(found, place) for place in range(len(found.numbers))]
    lead = tag(
        "p",
        f"{found.opened.name}, {found.split}: which inputs the answers come from. "
        f"{_signs(found)} {_baseline(found)}",
        class_="sub",
    )
    return html_document(
        f"Explained: {found.opened.name}",
        page_section("Answers", rows),
        *([] if found.sought is None else [_sought_section(found, found.sought)]),
        page_section("Does a method see what was learned?", _sanity(found)),
        page_section("The methods", _methods(found)),
        lead=lead,
    )


def _signs(found: Explained) -> str:
    if found.question.images:
        return _SIGNS_OF_IMAGES
    return _SIGNS_OF_STEPS if found.question.tokens else _SIGNS_OF_COLUMNS


def _baseline(found: Explained) -> str:
    text = f"The baseline is {_NOTHING[found.question.tokens]}."
    if found.opened.experiment.shape.places:
        return f"Explained is the answer behind the last step of a row. {text}"
    return text


def _sought_section(found: Explained, sought: Sought) -> Markup:
    """The input that raises each output most: a picture, or the columns it sets."""
    text = (
        "The input, no farther from the baseline than a usual row, that raises the output most "
        "(activation maximization, Erhan et al. 2009). Nothing makes it look like a row: what one "
        "cannot recognize raises the output all the same."
    )
    if found.question.images:
        shown = tag(
            "ul",
            [
                tag(
                    "li",
                    tag("img", src=_sought_uri(one), alt=f"sought by {name}"),
                    tag("span", name),
                )
                for name, one in zip(found.outputs, sought.inputs, strict=True)
            ],
            class_="gallery",
        )
        signs = "Red is above the baseline, blue below it."
        return page_section(_LOOKS_FOR, tag("p", f"{text} {signs}"), shown)
    examples = found.opened.examples
    values = sought.inputs.double().numpy().reshape(len(found.outputs), -1)
    names = column_names(examples.shape)
    order = np.argsort(-np.abs(values).max(axis=0), kind="stable")[:MOST_COLUMNS]
    rows = [[names[k], *(number_text(float(one[k]), sign=True) for one in values)] for k in order]
    head = ("input, after scaling", *found.outputs)
    table = scrolling_table(head, rows, right=range(1, len(head)))
    return page_section(_LOOKS_FOR, tag("p", text), table)


def _sought_uri(example: Tensor) -> str:
    map_ = flat_map(example, signed=True)
    return picture_uri(heat_colors(map_, np.ones_like(map_)))


def _sanity(found: Explained) -> list[Markup]:
    """The randomization test, as a table with a sentence for each method."""
    layers = [rank.layer for rank in next(iter(found.ranks.values()))]
    rows = [
        [
            METHODS[name].title,
            verdict_of(found, ranks),
            *(rank_text(rank.correlation) for rank in ranks),
        ]
        for name, ranks in found.ranks.items()
    ]
    # The verdict before what it follows from: on a phone the last columns are out of sight.
    head = ("method", "", *(f"from {layer} on" for layer in layers))
    text = (
        "The weights of the layers from the named one to the output are replaced by random first "
        "weights. The numbers say how alike the maps of the trained and of the random network are: "
        "Spearman's rank correlation of their sizes, 1 is the same order, 0 none. A method that "
        "explains what was learned must fall towards 0 (Adebayo et al. 2018, arXiv:1810.03292)."
    )
    return [
        tag("p", text),
        scrolling_table(head, rows, right=range(2, len(layers) + 2)),
        tag(
            "p",
            f"The parts of integrated gradients add up to within {found.integrated.miss:.2%} of "
            "the difference between the output and that of the baseline (completeness).",
        ),
    ]


def _methods(found: Explained) -> Markup:
    rows = [
        [METHODS[name].title, METHODS[name].meaning, METHODS[name].source]
        for name in found.attributions
    ]
    return scrolling_table(("method", "a number says", "source"), rows)
