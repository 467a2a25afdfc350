"""The page of `nnlab explain`, and its summary for the terminal."""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from math import isnan
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nnlab.commands.explain.answers import Explained
from nnlab.core import files
from nnlab.core.contracts import Examples
from nnlab.core.text import render_text, text_grid
from nnlab.display.web.html import (
    Markup,
    html_document,
    number_text,
    page_section,
    scrolling_table,
    tag,
)
from nnlab.runs.explaining.methods import METHODS
from nnlab.runs.explaining.sanity import Rank
from nnlab.runs.finished.evaluate import eval_folder

BLIND = 0.5
"""From this rank correlation on the map of a random network is said to look like the trained one's:
more than half of the order of its places is the same."""
_FEW_INPUTS = 8
"""Of fewer inputs any order is likely by chance: nothing is said."""
_SIGNS_OF_IMAGES = (
    "Red speaks for the answer, blue against it; methods without a sign show red alone."
)
_SIGNS_OF_COLUMNS = (
    "Of integrated gradients and occlusion numbers above 0 speak for the answer, those below 0 "
    "against it; the other methods have no sign."
)
_COLUMNS = 12
_SIDE = 196
_FOR, _AGAINST = np.array([178.0, 24.0, 43.0]), np.array([33.0, 102.0, 172.0])


def write_page(found: Explained) -> Path:
    """Writes RUN/eval/explain-SPLIT.html and says where it is."""
    path = eval_folder(found.opened.run) / f"explain-{found.split}.html"
    files.write_file(path, page_of(found))
    return path


def summary_of(found: Explained) -> str:
    """What the terminal shows: how well each method may be trusted here."""
    rows = [
        (METHODS[name].title, _number(_last(ranks)), _verdict(found, ranks))
        for name, ranks in found.ranks.items()
    ]
    head = ("method", "alike with random weights", "")
    return render_text(
        f"{found.opened.name}: {len(found.numbers)} rows of {found.split} explained",
        "",
        text_grid(rows, head=head, right=(1,)),
        f"the parts of integrated gradients add up to within {found.gap:.2%} of the difference "
        "between the output and that of the baseline, 0 after scaling",
    )


def page_of(found: Explained) -> str:
    """The page as HTML: pictures or columns of each row, then what may be believed of them."""
    rows = [_row(found, place) for place in range(len(found.numbers))]
    lead = tag(
        "p",
        f"{found.opened.name}, {found.split}: which inputs the answers come from. "
        f"{_SIGNS_OF_IMAGES if found.question.images else _SIGNS_OF_COLUMNS} "
        "The baseline is 0 after scaling.",
        class_="sub",
    )
    return html_document(
        f"Explained: {found.opened.name}",
        page_section("Answers", rows),
        page_section("What an output looks for", _sought(found)),
        page_section("Does a method see what was learned?", _sanity(found)),
        page_section("The methods", _methods(found)),
        lead=lead,
    )


def _row(found: Explained, place: int) -> Markup:
    """One row of the split: what it is, and every method's view of it."""
    said = f"row {found.numbers[place]}: {found.answers[place]}"
    if found.actual:
        right = found.actual[place] == found.answers[place]
        said += " (right)" if right else f" (it is {found.actual[place]})"
    shown = _pictures(found, place) if found.question.images else _table(found, place)
    return tag("section", tag("h3", said), shown)


def _pictures(found: Explained, place: int) -> Markup:
    image = _brightness(found.question.inputs[place])
    shown = [("the input", _uri(np.repeat(image[..., None], 3, axis=2) * 255))]
    for name, attribution in found.attributions.items():
        method = METHODS[name]
        map_ = flat_map(attribution[place], signed=method.signed)
        shown.append((method.title, _uri(heat_colors(map_, image))))
    return tag(
        "ul",
        [
            tag(
                "li",
                tag("img", src=uri, alt=f"{title}, row {found.numbers[place]}"),
                tag("span", title),
            )
            for title, uri in shown
        ],
        class_="gallery",
    )


def _sought(found: Explained) -> list[Markup]:
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
                for name, one in zip(found.outputs, found.sought.inputs, strict=True)
            ],
            class_="gallery",
        )
        signs = "Red is above the baseline, blue below it."
        return [tag("p", f"{text} {signs}"), shown]
    examples = found.opened.examples
    values = found.sought.inputs.double().numpy().reshape(len(found.outputs), -1)
    names = examples.shape.columns or tuple(f"x{k + 1}" for k in range(values.shape[1]))
    order = np.argsort(-np.abs(values).max(axis=0), kind="stable")[:_COLUMNS]
    rows = [[names[k], *(number_text(float(one[k]), sign=True) for one in values)] for k in order]
    head = ("input, after scaling", *found.outputs)
    return [tag("p", text), scrolling_table(head, rows, right=range(1, len(head)))]


def _sought_uri(example: Tensor) -> str:
    map_ = flat_map(example, signed=True)
    return _uri(heat_colors(map_, np.ones_like(map_)))


def flat_map(attribution: Tensor, *, signed: bool) -> NDArray[np.float64]:
    """(H, W) of (C, H, W): the channels' sum, or where there is no sign the greatest of them."""
    values = attribution.double().numpy()
    if values.ndim == 2:
        return values
    return values.sum(axis=0) if signed else np.abs(values).max(axis=0)


def heat_colors(map_: NDArray[np.float64], image: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H, W, 3) from 0 to 255: red where the map is positive, blue where negative, over the image.

    Args:
        map_: (H, W); full colour is its 99th percentile of sizes.
        image: (H, W) from 0 to 1, which shines through where the map is near 0.
    """
    scale = max(float(np.quantile(np.abs(map_), 0.99)), 1e-30)
    strength = np.clip(np.abs(map_) / scale, 0.0, 1.0)[..., None]
    color = np.where((map_ >= 0)[..., None], _FOR, _AGAINST)
    paper = (200.0 + 55.0 * image)[..., None]
    return paper * (1.0 - strength) + color * strength


def _brightness(example: Tensor) -> NDArray[np.float64]:
    """(H, W) from 0 to 1 of (C, H, W)."""
    values = example.double().numpy().mean(axis=0)
    low, high = float(values.min()), float(values.max())
    return (values - low) / max(high - low, 1e-30)


def _uri(pixels: NDArray[np.float64]) -> str:
    """A PNG as a data URI, enlarged without smoothing."""
    from PIL import Image

    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    times = max(_SIDE // max(image.size), 1)
    image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    content = BytesIO()
    image.save(content, format="png", optimize=True)
    return f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"


def _table(found: Explained, place: int) -> Markup:
    """The columns of a table's row, those first that integrated gradients give most to."""
    examples, row = found.opened.examples, int(found.rows[place])
    parts = {
        METHODS[name].title: values[place].double().numpy().ravel()
        for name, values in found.attributions.items()
    }
    first = next(iter(parts.values()))
    names = examples.shape.columns or tuple(f"x{k + 1}" for k in range(len(first)))
    values = _own(examples, row)
    order = np.argsort(-np.abs(first), kind="stable")[:_COLUMNS]
    rows = [
        [
            names[k],
            f"{values[k]:.5g}",
            *(number_text(float(one[k]), sign=True) for one in parts.values()),
        ]
        for k in order
    ]
    head = ("input", "value", *parts)
    return scrolling_table(head, rows, right=range(1, len(head)))


def _own(examples: Examples, row: int) -> NDArray[np.float64]:
    assert isinstance(examples.inputs, np.ndarray)
    return examples.own(examples.inputs[[row]]).astype(np.float64).ravel()


def _sanity(found: Explained) -> list[Markup]:
    """The randomization test, as a table with a sentence for each method."""
    layers = [rank.layer for rank in next(iter(found.ranks.values()))]
    rows = [
        [
            METHODS[name].title,
            *(_number(rank.correlation) for rank in ranks),
            _verdict(found, ranks),
        ]
        for name, ranks in found.ranks.items()
    ]
    head = ("method", *(f"from {layer} on" for layer in layers), "")
    text = (
        "The weights of the layers from the named one to the output are replaced by random first "
        "weights. The numbers say how alike the maps of the trained and of the random network are: "
        "Spearman's rank correlation of their sizes, 1 is the same order, 0 none. A method that "
        "explains what was learned must fall towards 0 (Adebayo et al. 2018, arXiv:1810.03292)."
    )
    return [
        tag("p", text),
        scrolling_table(head, rows, right=range(1, len(layers) + 1)),
        tag(
            "p",
            f"The parts of integrated gradients add up to within {found.gap:.2%} of the difference "
            "between the output and that of the baseline (completeness).",
        ),
    ]


def _methods(found: Explained) -> Markup:
    rows = [
        [METHODS[name].title, METHODS[name].meaning, METHODS[name].source]
        for name in found.attributions
    ]
    return scrolling_table(("method", "a number says", "source"), rows)


def _last(ranks: Sequence[Rank]) -> float:
    """With all layers random; NaN for a network without layers of its own."""
    return ranks[-1].correlation if ranks else float("nan")


def _verdict(found: Explained, ranks: Sequence[Rank]) -> str:
    last = _last(ranks)
    if found.question.inputs[0].numel() < _FEW_INPUTS:
        return "too few inputs to tell"
    if isnan(last):
        return "not tested"
    if last >= BLIND:
        return "shows mostly the input: a random network gives nearly the same"
    return "sees what was learned"


def _number(value: float) -> str:
    return "-" if isnan(value) else f"{value:.2f}"
