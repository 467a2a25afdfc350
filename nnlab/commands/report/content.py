"""All that a report says, as plain data: what `--json` prints and the page shows."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from math import isfinite
from os.path import commonpath
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from nnlab.commands.report import classes, noise_inputs, regression
from nnlab.commands.report import scores as pairs
from nnlab.commands.report.calibration import calibration_facts
from nnlab.commands.report.cases import Case, case_of
from nnlab.commands.report.in_time.text import TextCase, TextFacts, scores_of_text
from nnlab.commands.report.intervals import CONFIDENCE
from nnlab.commands.report.scores import scores_of_case
from nnlab.config.loading import load_config
from nnlab.core.contracts import Examples
from nnlab.core.errors import ConfigError
from nnlab.core.package import package_version
from nnlab.runs.finished.reopen import Opened
from nnlab.runs.folder.summary import read_summary

_FORMAT = 1


def content_of(case: Case) -> dict[str, Any]:
    """The report of one run on one split."""
    scores = scores_of_case(case)
    found: dict[str, Any] = {
        **_about([case]),
        "run": head(case.opened),
        "scores": [one.plain() for one in scores],
    }
    task = case.opened.experiment.shape.task
    if task == "regression":
        found |= {
            "columns": regression.column_facts(case),
            "worst": regression.worst_predicted(case),
        }
    else:
        found |= _of_classes(case) if task == "classes" else _of_labels(case)
        found["meaningless_inputs"] = noise_inputs.sureness_on_noise(case)
    return finite(found)


def content_of_text(case: TextCase, told: TextFacts) -> dict[str, Any]:
    """The report of a run that tells the next token at every step."""
    return finite(
        {
            **_about([case]),
            "run": head(case.opened),
            "scores": [one.plain() for one in scores_of_text(case)],
            "text": told.plain(),
        }
    )


def comparison_of(cases: Sequence[Case | TextCase]) -> dict[str, Any]:
    """The report of several runs side by side.

    Raises:
        ConfigError: they do not answer the same examples.
    """
    refuse_others(cases)
    scores = [
        {
            one.key: one
            for one in (
                scores_of_text(case) if isinstance(case, TextCase) else scores_of_case(case)
            )
        }
        for case in cases
    ]
    names = labels_of([case.opened.run for case in cases])
    task = cases[0].opened.experiment.shape.task
    right = None
    rows = [case for case in cases if isinstance(case, Case)]
    if task != "regression" and rows:
        same = [case.actual == case.predicted for case in rows]
        right = [one.all(axis=1) if task == "labels" else one for one in same]
    runs = [
        {"label": name, **head(case.opened), "scores": [one.plain() for one in found.values()]}
        for name, case, found in zip(names, cases, scores, strict=True)
    ]
    found = {**_about(cases), "runs": runs, "pairs": pairs.compare_pairs(names, scores, right)}
    if task != "regression" and rows:
        found["classes"] = _side_by_side(rows)
    return finite(found)


def labels_of(runs: Sequence[Path]) -> list[str]:
    """Short names that differ: the paths from the folder above the one that all share."""
    whole = [run.absolute() for run in runs]
    shared = Path(commonpath([run.parent for run in whole]))
    return [run.relative_to(shared.parent).as_posix() for run in whole]


def _about(cases: Sequence[Case | TextCase]) -> dict[str, Any]:
    """What is judged, and when."""
    opened, split = cases[0].opened, cases[0].split
    shape = opened.experiment.shape
    return {
        "format": _FORMAT,
        "split": split,
        "samples": len(cases[0].losses),
        "task": shape.task,
        "names": list(shape.classes),
        "data": opened.experiment.config.data.kind,
        "digest": opened.examples.digest,
        "confidence": CONFIDENCE,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "nnlab": package_version(),
        "device": str(opened.device),
        "target_columns": _target_names(opened),
    }


def _target_names(opened: Opened) -> list[str]:
    """The columns that a regression predicts, as far as the data call them something."""
    shape = opened.experiment.shape
    if shape.task != "regression":
        return []
    found: Any = getattr(opened.experiment.config.data, "target", None)
    names: list[str] = [found] if isinstance(found, str) else list(found or ())
    if len(names) == shape.outputs:
        return names
    if opened.examples.windows is not None:
        return [f"step {k + 1}" for k in range(shape.outputs)]
    return ["target"] if shape.outputs == 1 else [f"target {k + 1}" for k in range(shape.outputs)]


def head(opened: Opened) -> dict[str, Any]:
    """The run, its checkpoint, and its config in a few words."""
    experiment, summary = opened.experiment, read_summary(opened.run)
    config = experiment.config
    return {
        "folder": opened.name,
        "name": summary.name,
        "status": summary.status,
        "step": opened.step,
        "epoch": opened.step / experiment.per_epoch,
        "epochs": summary.epochs,
        "chosen_by": summary.monitor,
        "seed": summary.seed,
        "parameters": summary.parameters,
        "network": _network(opened),
        "loss": experiment.loss.kind,
        "optimizer": f"{config.optimizer.kind}, lr {config.optimizer.lr:g}",
        "batch_size": config.train.batch_size,
        "schedule": config.schedule.kind,
        "sizes": dict(experiment.shape.sizes),
    }


def _network(opened: Opened) -> str:
    """`mlp 784-16-16-10`, as far as it is a short chain."""
    design, model = opened.experiment.design, opened.experiment.config.model
    widths = [plan.output[-1] for plan in design.plans if plan.parameters and not plan.children]
    flat = all(len(plan.output) == 1 for plan in design.plans if plan.parameters)
    if not flat or len(widths) > 8:
        return model.kind
    first = int(np.prod(opened.experiment.shape.inputs))
    return f"{model.kind} {'-'.join(map(str, (first, *widths)))}"


def _of_classes(case: Case) -> dict[str, Any]:
    matrix = classes.confusion_counts(case)
    names = case.opened.experiment.shape.classes
    found: dict[str, Any] = {
        "classes": classes.measures_per_class(case),
        "confusion": matrix.tolist(),
        "confused_pairs": classes.confused_pairs(matrix, names),
        "curves": classes.class_curves(case),
        "worst": classes.worst_classified(case),
        "mistakes": int(len(case.losses) - np.trace(matrix)),
    }
    if case.probabilities is not None:
        found["calibration"] = calibration_facts(case.probabilities, case.actual, _fitting(case))
    return found


def _of_labels(case: Case) -> dict[str, Any]:
    return {
        "classes": classes.measures_per_class(case),
        "curves": classes.class_curves(case),
        "worst": classes.worst_labels(case),
        "mistakes": int((case.actual != case.predicted).any(axis=1).sum()),
    }


def _fitting(case: Case) -> Any:
    """Probabilities and classes of the validation split, which a temperature is fitted on."""
    if "validation" not in case.opened.examples.rows:
        return None
    other = case if case.split == "validation" else case_of(case.opened, "validation")
    return other.probabilities, other.actual


def _side_by_side(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """F1 of each class, a number for each run."""
    found = [classes.measures_per_class(case) for case in cases]
    return [
        {
            "class": rows[0]["class"],
            "support": rows[0]["support"],
            "f1": [row["f1"] for row in rows],
        }
        for rows in zip(*found, strict=True)
    ]


def refuse_others(cases: Sequence[Case | TextCase]) -> None:
    """Refuses runs that do not answer the same examples, or not the same question.

    Raises:
        ConfigError: saying which two, and what differs.
    """
    first = cases[0]
    for other in cases[1:]:
        pair = f"--report: {first.opened.name} and {other.opened.name}"
        if other.opened.examples.digest != first.opened.examples.digest:
            raise ConfigError(f"{pair} have different data (SHA-256 differs)")
        if not np.array_equal(other.rows, first.rows):
            split = first.split
            text = f"have different {split} rows (data.{split} or data.split_seed differ)"
            raise ConfigError(f"{pair} {text}")
        one, two = (case.opened.experiment.shape for case in (first, other))
        if (one.task, one.outputs) != (two.task, two.outputs):
            raise ConfigError(f"{pair} have different targets ({one.task}, {two.task})")


def config_text(run: Path) -> str:
    """The whole config of a run, as its folder holds it."""
    from nnlab.config.run_config import dump_config

    return dump_config(load_config(run / "config.yaml"))


def finite(value: Any) -> Any:
    """A value without NaN and infinity, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: finite(inner) for key, inner in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in cast("Sequence[Any]", value)]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not isfinite(value) else value


_SIDE = 96
"""At most so many pixels a side; smaller images stay as they are, the page enlarges them."""
ALL_COLUMNS = 6
"""Tables of so many columns show all, wider ones as many that are most unusual."""


def are_images(examples: Examples) -> bool:
    """Whether rows are (C, H, W) with a channel count that can be seen."""
    inputs = examples.shape.inputs
    return len(inputs) == 3 and inputs[0] in (1, 3) and min(inputs[1:]) > 1


def thumbnail_uri(examples: Examples, row: int, peak: float) -> str:
    """A PNG as a data URI.

    Args:
        examples: images.
        row: of the table.
        peak: what is white.
    """
    from PIL import Image

    pixels = stored(examples, row).astype(np.float32) * (255 / peak)
    shown = np.clip(pixels, 0, 255).astype(np.uint8)
    image = Image.fromarray(shown[0] if len(shown) == 1 else shown.transpose(1, 2, 0))
    image.thumbnail((_SIDE, _SIDE))
    content = BytesIO()
    image.save(content, format="png", optimize=True)
    return f"data:image/png;base64,{b64encode(content.getvalue()).decode()}"


def peak_of(examples: Examples, rows: Sequence[int]) -> float:
    """What is white: 255, or the greatest value of images that never come near it."""
    greatest = max((float(stored(examples, row).max()) for row in rows), default=1.0)
    return 255.0 if greatest > 64 else max(greatest, 1e-12)


def stored(examples: Examples, row: int) -> NDArray[Any]:
    """One example as it is stored."""
    inputs = examples.inputs
    return inputs[row] if isinstance(inputs, np.ndarray) else inputs.read(row)


def named_values(examples: Examples, row: int) -> list[dict[str, Any]]:
    """Name, value and distance from the training mean in deviations, of a table's row.

    All columns of a narrow table in their order, of a wide one the most unusual first.
    """
    inputs = examples.inputs
    assert isinstance(inputs, np.ndarray)
    train = inputs[examples.rows["train"]].reshape(len(examples.rows["train"]), -1)
    mean, deviation = (part.astype(np.float64) for part in (train.mean(axis=0), train.std(axis=0)))
    here = inputs[row].ravel().astype(np.float64)
    own = examples.own(inputs[[row]]).ravel()
    away = np.divide(here - mean, deviation, out=np.zeros_like(here), where=deviation > 0)
    names = examples.shape.columns or tuple(f"x{k + 1}" for k in range(len(here)))
    order = np.arange(len(here))
    if len(here) > ALL_COLUMNS:
        order = np.argsort(-np.abs(away), kind="stable")[:ALL_COLUMNS]
    return [
        {"column": names[k], "value": float(own[k]), "deviations": float(away[k])} for k in order
    ]
