"""How an answer and its attributions look on a page, and whether a method may be believed."""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from math import isnan, prod

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nnlab.core.contracts import DataShape, Examples
from nnlab.display.web.html import Markup, number_text, scrolling_table, side_by_side, tag
from nnlab.display.web.shaded import shaded_text
from nnlab.parts.datasets.sequences.tokens import token_names
from nnlab.runs.explaining.answers import Explained
from nnlab.runs.explaining.methods import METHODS
from nnlab.runs.explaining.sanity import Rank

BLIND = 0.5
"""From this rank correlation on the map of a random network is said to look like the trained one's:
more than half of the order of its places is the same."""
_FEW_INPUTS = 8
"""Of fewer inputs any order is likely by chance: nothing is said."""
MOST_COLUMNS = 12
"""So many columns are listed, those of the strongest numbers."""
_SIDE = 196
_FOR, _AGAINST = np.array([178.0, 24.0, 43.0]), np.array([33.0, 102.0, 172.0])


def answer_section(found: Explained, place: int) -> Markup:
    """One row of the split: what it is, and every method's view of it."""
    said = f"row {found.rows[place]}: {found.answers[place]}"
    if found.actual:
        right = found.actual[place] == found.answers[place]
        said += " (right)" if right else f" (it is {found.actual[place]})"
    return tag("section", tag("h3", said), _shown(found, place))


def _shown(found: Explained, place: int) -> Markup:
    if found.question.images:
        return _pictures(found, place)
    return _text(found, place) if found.question.tokens else _table(found, place)


def _text(found: Explained, place: int) -> Markup:
    """The tokens of a row, shaded by each method."""
    names = token_names(found.opened.experiment.shape)
    tokens = [names[token] for token in found.question.inputs[place].tolist()]
    parts = [
        tag(
            "div",
            tag("h4", METHODS[name].title),
            shaded_text(tokens, values[place].tolist(), sign=METHODS[name].signed),
        )
        for name, values in found.attributions.items()
    ]
    return side_by_side(*parts)


def _pictures(found: Explained, place: int) -> Markup:
    image = _brightness(found.question.inputs[place])
    shown = [("the input", picture_uri(np.repeat(image[..., None], 3, axis=2) * 255))]
    for name, attribution in found.attributions.items():
        method = METHODS[name]
        map_ = flat_map(attribution[place], signed=method.signed)
        shown.append((method.title, picture_uri(heat_colors(map_, image))))
    return tag(
        "ul",
        [
            tag(
                "li",
                tag("img", src=uri, alt=f"{title}, row {found.rows[place]}"),
                tag("span", title),
            )
            for title, uri in shown
        ],
        class_="gallery",
    )


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


def picture_uri(pixels: NDArray[np.float64]) -> str:
    """A PNG as a data URI, enlarged without smoothing."""
    from PIL import Image

    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    times = max(_SIDE // max(image.size), 1)
    image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    content = BytesIO()
    image.save(content, format="png", optimize=True)
    return f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"


def _table(found: Explained, place: int) -> Markup:
    """The columns or steps of a row, those first that integrated gradients give most to."""
    examples, row = found.opened.examples, int(found.rows[place])
    parts = {
        METHODS[name].title: values[place].double().numpy().ravel()
        for name, values in found.attributions.items()
    }
    first = next(iter(parts.values()))
    if steps := found.question.sequences:
        names = tuple(f"step {step + 1}" for step in range(len(first)))
    else:
        names = column_names(examples.shape)
    values = _own(examples, row).reshape(len(first), -1)
    order = np.argsort(-np.abs(first), kind="stable")[:MOST_COLUMNS]
    rows = [
        [
            names[k],
            ", ".join(f"{value:.5g}" for value in values[k]),
            *(number_text(float(one[k]), sign=True) for one in parts.values()),
        ]
        for k in order
    ]
    head = ("step" if steps else "input", "value", *parts)
    return scrolling_table(head, rows, right=range(1, len(head)))


def _own(examples: Examples, row: int) -> NDArray[np.float64]:
    assert isinstance(examples.inputs, np.ndarray)
    return examples.own(examples.inputs[[row]]).astype(np.float64).ravel()


def column_names(shape: DataShape) -> tuple[str, ...]:
    """What the numbers of an example are called, one after the other."""
    if len(shape.inputs) != 2:
        return shape.columns or tuple(f"x{k + 1}" for k in range(prod(shape.inputs)))
    steps, features = shape.inputs
    columns = shape.columns or tuple(f"x{k + 1}" for k in range(features))
    each = [f" {name}" for name in columns] if features > 1 else [""]
    return tuple(f"step {step + 1}{name}" for step in range(steps) for name in each)


def sight_of(found: Explained, name: str) -> str:
    """A sentence: whether a method sees what was learned."""
    ranks = found.ranks[name]
    alike = f"; alike with random weights: {rank_text(last_rank(ranks))}" if ranks else ""
    return f"{METHODS[name].title}: {verdict_of(found, ranks)}{alike}"


def last_rank(ranks: Sequence[Rank]) -> float:
    """With all layers random; NaN for a network without layers of its own."""
    return ranks[-1].correlation if ranks else float("nan")


def verdict_of(found: Explained, ranks: Sequence[Rank]) -> str:
    """Whether a method sees what was learned, as far as these ranks tell."""
    last = last_rank(ranks)
    if found.question.inputs[0].numel() < _FEW_INPUTS:
        return "too few inputs to tell"
    if isnan(last):
        return "not tested"
    if last >= BLIND:
        return "shows mostly the input: a random network gives nearly the same"
    return "sees what was learned"


def rank_text(value: float) -> str:
    """A correlation, or a hyphen where there is none."""
    return "-" if isnan(value) else f"{value:.2f}"
