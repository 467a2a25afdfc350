"""`nnlab lr`: which learning rate an experiment could take, tried on a fresh network.

Nothing is written but the picture that is asked for.
"""

from collections.abc import Iterator
from itertools import count
from math import log10
from pathlib import Path
from typing import Any, NamedTuple, cast

from torch import Tensor

from nnlab.commands.lr.rate_range import (
    RatePoint,
    Sweep,
    geometric_rates,
    judged_points,
    steepest_point,
    sweep_rates,
    turned_up,
    valley_point,
)
from nnlab.core.contracts import Machine
from nnlab.core.errors import ConfigError, DivergedError
from nnlab.experiment.experiment import Experiment
from nnlab.runs.building.build import build_trainer
from nnlab.training import device as devices
from nnlab.training.loop import Trainer


class Found(NamedTuple):
    """What a range test says.

    Attributes:
        sweep: all its points.
        valley: the suggestion.
        steepest: a second one, bolder as a rule.
    """

    sweep: Sweep
    valley: RatePoint | None
    steepest: RatePoint | None

    def plain(self) -> dict[str, Any]:
        """The rates as plain values, for `--json`."""
        return {
            "lr": self.valley and float(two_digits(self.valley.rate)),
            "valley": self.valley and self.valley.rate,
            "steepest": self.steepest and self.steepest.rate,
            "turned_up_at": (low := turned_up(self.sweep)) and low.rate,
            "diverged_at": self.sweep.diverged_at,
            "points": [point._asdict() for point in self.sweep.points],
        }


def two_digits(rate: float) -> str:
    """Two digits, as a config has it: nobody knows a learning rate better."""
    return f"{rate:.2g}"


def find_lr(
    experiment: Experiment, *, start: float, end: float, steps: int, device: str = "auto"
) -> Found:
    """Trains a fresh network over growing rates.

    Args:
        experiment: its schedule is left aside; groups keep their proportion to optimizer.lr.
        start: the first rate.
        end: the last one.
        steps: how many updates.
        device: auto, cpu, cuda, cuda:N or mps.

    Raises:
        ConfigError: the optimizer has no use for a rate.
        DivergedError: not even the first losses are finite.
    """
    optimizer = experiment.config.optimizer
    if optimizer.closure or not optimizer.follows_lr:
        text = f"{optimizer.kind} finds its steps by itself, a range test says nothing of it"
        raise ConfigError(f"optimizer: {text} (try --set optimizer=sgd)")
    chosen, _ = devices.choose_device(device)
    experiment = experiment.on(Machine.here(chosen.type))
    with (
        devices.torch_settings(threads=experiment.threads, deterministic=False),
        devices.own_generator(chosen),
    ):
        built = build_trainer(experiment, experiment.load(), chosen)
        found = sweep_rates(
            built.step, _batches(built.trainer, steps), geometric_rates(start, end, steps)
        )
    if len(found.points) < 2:
        raise DivergedError(
            f"lr: the loss is not finite from {start:g} on (try a lower --from or another init)"
        )
    inner = judged_points(found)
    return Found(found, valley_point(inner), steepest_point(inner))


def _batches(trainer: Trainer, steps: int) -> Iterator[Tensor]:
    """So many batches, in the order of the run's epochs."""
    for epoch in count():
        batches = trainer.order.batches(epoch)[:steps]
        trainer.announce(batches)
        yield from batches
        steps -= len(batches)
        if steps <= 0:
            return


def rates_page(found: Found, *, width: int = 80) -> str:
    """The curve, and what it suggests.

    Args:
        found: the test.
        width: of the page, in characters.
    """
    from nnlab.core.text import render_text, text_grid

    rows = [
        (name, two_digits(point.rate), f"{point.smoothed:.4g}", why)
        for name, point, why in (
            ("valley", found.valley, "in the middle of the longest descent"),
            ("steepest", found.steepest, "where the loss falls fastest"),
        )
        if point is not None
    ]
    head = ("suggestion", "lr", "loss", "")
    table = text_grid(rows, head=head, right=(1, 2), whole=(0, 1, 2))
    chart = _chart(found, width=width)
    return render_text(chart, "", *([table] if rows else []), _end_of(found.sweep))


def _end_of(sweep: Sweep) -> str:
    """How the curve ends, in a line."""
    low, points = turned_up(sweep), sweep.points
    if low is None and sweep.diverged_at is None:
        text = f"the loss falls up to {two_digits(points[-1].rate)}, and did not turn up"
        return f"{text} (try a larger --to)"
    lowest = min(points, key=lambda point: point.smoothed)
    text = f"lowest at {two_digits(lowest.rate)} (loss {lowest.smoothed:.4g})"
    if sweep.diverged_at is not None:
        return f"{text}, diverged at {two_digits(sweep.diverged_at)}"
    top = max((p for p in points if p.rate >= lowest.rate), key=lambda point: point.smoothed)
    return f"{text}, turned up behind it: {top.smoothed:.4g} at {two_digits(top.rate)}"


def _chart(found: Found, *, width: int, height: int = 12) -> str:
    """The smoothed loss over the rate, both axes by their range; V the valley, S the steepest."""
    from nnlab.display.text_chart import Drawn, Line, text_chart

    points = found.sweep.points
    places = [log10(point.rate) for point in points]
    curves = [Drawn("·", Line(places, [point.smoothed for point in points]), 0)]
    for letter, point in (("S", found.steepest), ("V", found.valley)):
        if point is not None:
            curves.append(Drawn(letter, Line([log10(point.rate)], [point.smoothed]), 1))
    known = (("V", "valley", found.valley), ("S", "steepest", found.steepest))
    marks = [f"{letter} {name}" for letter, name, point in known if point is not None]
    label = "   ".join(["log10(lr)", "  ".join(["· loss", *marks])])
    return text_chart(curves, width=width, height=height, label=label).plain.rstrip("\n")


def draw_rates(found: Found, file: Path) -> None:
    """Writes the curve as a picture, in the format of the file's name.

    Raises:
        ConfigError: there is no such format.
        ResourceError: it cannot be written.
    """
    from io import BytesIO

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from nnlab.core import files
    from nnlab.display.pictures.drawing import make_visible

    figure = Figure(figsize=(6.0, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = cast("Any", figure.add_subplot())
    points = found.sweep.points
    axes.plot([p.rate for p in points], [p.loss for p in points], lw=0.6, alpha=0.4, label="loss")
    axes.plot([p.rate for p in points], [p.smoothed for p in points], label="smoothed")
    for name, point in (("valley", found.valley), ("steepest", found.steepest)):
        if point is not None:
            axes.plot(point.rate, point.smoothed, "o", label=f"{name} {two_digits(point.rate)}")
    top = max(p.smoothed for p in points)
    bottom = min(p.loss for p in points)
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
    axes.set_ylim(bottom - 0.05 * (top - bottom), top + 0.05 * (top - bottom))
    axes.grid(alpha=0.3)
    axes.legend()
    make_visible(figure)
    content = BytesIO()
    figure.savefig(content, format=file.suffix[1:], dpi=130)
    files.write_file(file, content.getvalue())
