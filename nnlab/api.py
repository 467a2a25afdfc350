"""nnlab from Python: the same functions that the commands call."""

import signal
import sys
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from nnlab.commands.doctor.report import DoctorReport
from nnlab.comparison import train as grouped
from nnlab.comparison.comparison import settle_source
from nnlab.comparison.result import ComparisonResult
from nnlab.comparison.view import ComparisonView
from nnlab.config.described import MENUS
from nnlab.core import package
from nnlab.core.events import Event
from nnlab.core.kinds import Kind, arms_of, kinds_of
from nnlab.display.open_view import open_view
from nnlab.display.views import View
from nnlab.experiment.handed import Handed, Source
from nnlab.runs import run as runs_
from nnlab.runs.finished import evaluate as evaluation
from nnlab.runs.finished import predict as prediction
from nnlab.runs.finished.reopen import load_network
from nnlab.runs.folder.find import find_run
from nnlab.runs.folder.summary import Summary
from nnlab.runs.watch import Watch as Watch

Loss = Callable[[Tensor, Tensor], Tensor]
"""(N, K) outputs and targets, (N,) class numbers or (N, K) numbers, to (N,) losses or a mean."""
K = TypeVar("K", bound=type[Kind])
_NO_SETTINGS: Mapping[str, Any] = {}


def train(
    config: Source,
    *,
    set: Mapping[str, Any] = _NO_SETTINGS,
    run_dir: str | Path | None = None,
    device: str = "auto",
    quiet: bool = True,
    data: object | None = None,
    model: nn.Module | None = None,
    loss: Loss | None = None,
) -> Summary:
    """Trains an experiment.

    What is handed in beside the config is in no file: the run says so, and to go on with it
    (`resume`, `evaluate`, `predict`, `load`) it is handed in again.

    Args:
        config: a path, a bundled name, a mapping, or a `RunConfig`.
        set: dotted names and values: {"optimizer.lr": 0.01, "optimizer": "sgd"}; a text is a text,
            a number a number, whatever YAML would make of it.
        run_dir: exactly this folder; None makes runs/<name>/<number>.
        device: auto, cpu, cuda, cuda:N or mps.
        quiet: say nothing but warnings; else what the command line shows.
        data: (X, y), or {"train": (X, y), "validation": ..., "test": ...}, of NumPy arrays or
            tensors: X (N, ...) numbers, y classes (whole numbers or names) (N,) or numbers (N,) or
            (N, K). The config's `data` section, if there is one, says how to split and scale them.
        model: (N, *inputs) to (N, K). It is trained in place, from the weights that it has; it is
            left on the device with the last weights, in training mode.
        loss: in place of one of the menu.

    Returns:
        The summary, with `.run` (the folder) and `.history` (every reading).

    Raises:
        NnlabError: ConfigError, DataError, ..., with the lines that the command prints.
        KeyboardInterrupt: Ctrl-C ended it, after it was saved. Other signals, such as SIGTERM, too
            do then what they would have done without a run.
    """
    summary = runs_.train(
        config,
        overrides=_overrides(set),
        run_dir=None if run_dir is None else Path(run_dir),
        device=device,
        view=_view(quiet),
        handed=Handed(data, model, loss),
    )
    return _signal_passed_on(summary)


def resume(
    run: str | Path | Summary,
    *,
    set: Mapping[str, Any] = _NO_SETTINGS,
    device: str = "auto",
    quiet: bool = True,
    data: object | None = None,
    model: nn.Module | None = None,
    loss: Loss | None = None,
) -> Summary:
    """Continues a run from its newest checkpoint; only durations and logging may change.

    Args:
        run: its folder, or as the commands take it.
        set: such as {"train.epochs": 30}.
        device: auto, cpu, cuda, cuda:N or mps.
        quiet: say nothing but warnings; else what the command line shows.
        data: what the run was trained with, where it was handed in; its content is compared.
        model: the network, where it was handed in, in the same form: its weights become those of
            the checkpoint.
        loss: the loss, where it was handed in.
    """
    summary = runs_.resume(
        _folder(run),
        overrides=_overrides(set),
        device=device,
        view=_view(quiet),
        handed=Handed(data, model, loss),
    )
    return _signal_passed_on(summary)


def train_comparison(
    config: Source,
    *,
    set: Mapping[str, Any] = _NO_SETTINGS,
    run_dir: str | Path | None = None,
    device: str = "auto",
    quiet: bool = True,
) -> ComparisonResult:
    """Trains a comparison: a config with `variants`, `seeds` or `expect`.

    Args and errors as `train`.

    Returns:
        The comparison: `.runs` with their curves, `.verdicts`, and `.run`, its folder.
    """
    comparison = grouped.train_comparison(
        settle_source(config, _overrides(set)),
        run_dir=None if run_dir is None else Path(run_dir),
        device=device,
        view=ComparisonView(quiet=quiet, stream=sys.stderr),
    )
    for one in comparison.runs:
        _signal_passed_on(one.summary)
    return comparison


def stream(
    config: Source,
    *,
    set: Mapping[str, Any] = _NO_SETTINGS,
    run_dir: str | Path | None = None,
    device: str = "auto",
    quiet: bool = True,
    data: object | None = None,
    model: nn.Module | None = None,
    loss: Loss | None = None,
) -> Generator[Event, None, Summary]:
    """Trains an experiment as a generator of events: Reading, EpochEnd, SaveDue, Stopped.

    Each is in the run folder about half a second later. A loop that is left early, by `break` or an
    exception such as `optuna.TrialPruned`, leaves a run with the status `pruned`, which
    `resume` continues from its last checkpoint.
    """
    return runs_.stream_run(
        config,
        overrides=_overrides(set),
        run_dir=None if run_dir is None else Path(run_dir),
        device=device,
        view=_view(quiet),
        handed=Handed(data, model, loss),
    )


def evaluate(
    run: str | Path | Summary,
    *,
    split: str = "test",
    device: str = "auto",
    data: object | None = None,
    model: nn.Module | None = None,
    loss: Loss | None = None,
) -> dict[str, Any]:
    """The loss and the scores of a run's best checkpoint: {"split", "samples", "loss", ...}.

    What was handed in to train it is handed in again; `model` is not changed.
    """
    handed = Handed(data, model, loss)
    return evaluation.evaluate(_folder(run), split=split, device=device, handed=handed)


def predict(
    run: str | Path | Summary,
    inputs: object,
    *,
    device: str = "auto",
    model: nn.Module | None = None,
    loss: Loss | None = None,
) -> prediction.Prediction:
    """What the best network of a run says of rows (N, *shape) as they are stored, not scaled.

    Returns:
        `.labels` and `.probabilities` of classes, `.outputs`: the numbers of a regression.
    """
    handed = Handed(None, model, loss)
    return prediction.predict(_folder(run), inputs, device=device, handed=handed)


def doctor(
    run: str | Path | Summary,
    *,
    trials: bool = True,
    data: object | None = None,
    model: nn.Module | None = None,
    loss: Loss | None = None,
) -> DoctorReport:
    """What is wrong with a run, where, since when, and what to change: what `nnlab doctor` says.

    What was handed in to train it is handed in again; without it the run's records are judged
    alone, and the report says what could not be looked at. `model` is not changed.

    Args:
        run: its folder, or as the commands take it.
        trials: try changes on copies of the run before they are advised.
        data: what the run was trained with, where it was handed in; its content is compared.
        model: the network, where it was handed in.
        loss: the loss, where it was handed in.

    Returns:
        The report: `.findings`, causes first, each with `.name`, `.level`, `.meaning` and
        `.remedy`; `.looked`; `print` shows the page.
    """
    from copy import deepcopy

    from nnlab.commands.doctor.recorded import examine_run

    own = None if model is None else deepcopy(model)  # updates are made again, in it
    return examine_run(_folder(run), trials=trials, handed=Handed(data, own, loss))


def load(
    run: str | Path | Summary, *, model: nn.Module | None = None, loss: Loss | None = None
) -> nn.Module:
    """The best network of a run, on the CPU, in evaluation mode; of `model`, a copy.

    It takes scaled inputs, (x - shift) * factor with the numbers of data.json, and gives raw
    outputs (logits); `predict` does both. Where the targets are numbers, `outputs *
    network.target_deviation + network.target_mean` are in their own unit.
    """
    return load_network(_folder(run), Handed(None, model, loss))


def register(kind: K) -> K:
    """Puts a class of your own on its menu, for this process: a decorator.

    The family that it is derived from decides which menu: an `ActivationConfig` is an activation.
    Another process (the command line, the studio, a resumed run) knows it only where it registers
    it too; a package names its kinds as entry points instead (`nnlab.kinds`). Registered again, as
    when a cell of a notebook runs twice, the newest holds.

    Returns:
        The class itself.

    Raises:
        TypeError: it is no kind of a menu that is open, or not a complete one.
        ValueError: nnlab has a kind of this name on that menu.
    """
    if why := package.unusable(kind):
        raise TypeError(f"nnlab.register: {why}")
    menu = _menu_of(kind)
    own = kinds_of(MENUS[menu][0]).get(kind.name())
    if own is not None and package.origin_of(own) is None:
        raise ValueError(
            f"nnlab.register: nnlab menu {menu} has a {kind.name()} already (choose another name)"
        )
    package.add_kind(kind)
    return kind


def _menu_of(kind: type[Kind]) -> str:
    """The menu that a class is for, by its family."""
    families: dict[str, type[Kind]] = {
        name: arms_of(union)[0] for name, (union, _) in MENUS.items() if len(arms_of(union)) == 1
    }
    found = [name for name, family in families.items() if issubclass(kind, family)]
    if not found:
        names = ", ".join(family.__name__ for family in families.values())
        raise TypeError(f"nnlab.register: {kind.__name__} is derived from none of {names}")
    return found[0]


def _signal_passed_on(summary: Summary) -> Summary:
    """Lets a signal that ended a run, which is saved, do what it would have done without a run.

    It was meant for the whole program: a loop over runs must not go on with the next one.
    """
    if summary.signal and summary.status == "interrupted":
        signal.raise_signal(summary.signal)
    return summary


def _folder(run: str | Path | Summary) -> Path:
    return run.run if isinstance(run, Summary) else find_run(str(run))


def _view(quiet: bool) -> View:
    return open_view(quiet=quiet, stream=sys.stderr)


def _overrides(settings: Mapping[str, Any]) -> list[str]:
    from json import dumps

    # JSON is YAML, so that every plain value survives the way through `--set`; a path is a text.
    return [f"{key}={dumps(value, default=str)}" for key, value in settings.items()]
