"""Durations of a config in updates of its run: when it is read (`log`), and whether all fit."""

from math import ceil

from nnlab.config.run_config import RunConfig
from nnlab.core.durations import Duration
from nnlab.core.errors import MistakeError, Path
from nnlab.core.kinds import Kind
from nnlab.parts.averages import SwaConfig
from nnlab.training.pace import Costly, Due, Pace, spaced_steps

_READINGS = 200
"""About how many readings `log.every: auto` makes."""

PROBES_OF_A_RUN = (10, 40)
PROBE_STEPS = 1000
"""`log.probes: auto` probes about each 1000 updates, at least and at most so often in a run: a full
probe costs as much as about seven eager updates of a small network, or thirty compiled ones."""

PICTURES = 10
"""`log.pictures: auto` in a run of some length."""
LEAST_STEPS = 150
"""Runs of fewer updates are over before a picture is drawn."""
FEW_PICTURES, FEW_STEPS = 5, 500
"""A run of fewer updates than that has so many moments."""

_EXAMPLES = 10
"""`log.examples: auto` keeps the losses of all examples so many times."""

_COSTLY: tuple[Costly, ...] = ("noise_scale", "sharpness")


def pace_of(config: RunConfig, per_epoch: int, total: int | None) -> Pace:
    """When a run is read.

    Raises:
        MistakeError: at a duration that cannot be counted, or what cannot be measured.
    """
    every = _every(config, per_epoch, total)
    unit = every or 1
    costly: dict[Costly, int] = {}
    for name in _COSTLY:
        written = getattr(config.log, name)
        if isinstance(written, Duration):
            costly[name] = _rounded(name, written, unit, per_epoch, total)
    if "noise_scale" in costly and per_epoch < 2:
        text = "compares batches, and an epoch has one alone (give a smaller train.batch_size)"
        raise MistakeError(("log", "noise_scale"), text)
    pictures = Due(spaced_steps(_pictures(config, total), every=unit, total=total))
    return Pace(
        every,
        _probes(config, unit, per_epoch, total),
        costly,
        _kept(config, per_epoch, total),
        pictures,
        _histograms(config, unit, per_epoch, total, pictures),
        _examples(config, per_epoch, total),
    )


def spelled_out(config: RunConfig, pace: Pace, total: int | None) -> dict[str, object]:
    """A pace as fields of `log`."""
    every = "log" if pace.every is None else Duration(pace.every, "steps")
    probes = "off" if pace.probes is None else Duration(pace.probes, "steps")
    costly = {name: Duration(steps, "steps") for name, steps in pace.costly.items()}
    found: dict[str, object] = {"every": every, "probes": probes, **costly}
    # The number that was asked for, not the fewer moments where readings are few.
    found["pictures"] = _pictures(config, total) or "off"
    found["examples"] = _example_count(config) or "off"
    if config.log.histograms == "auto":
        found["histograms"] = "pictures" if pace.pictures.ever else "off"
    return {**found, "checkpoints": Duration(pace.kept, "steps")} if pace.kept else found


def _every(config: RunConfig, per_epoch: int, total: int | None) -> int | None:
    written = config.log.every
    if written == "log":
        return None
    if isinstance(written, Duration):
        return _rounded("every", written, 1, per_epoch, total)
    return max(1, ceil(total / _READINGS) if total is not None else ceil(per_epoch / 20))


def _probes(config: RunConfig, unit: int, per_epoch: int, total: int | None) -> int | None:
    written = config.log.probes
    if written == "off":
        return None
    if isinstance(written, Duration):
        return _rounded("probes", written, unit, per_epoch, total)
    if total is None:
        steps = PROBE_STEPS
    else:
        fewest, most = PROBES_OF_A_RUN
        steps = total / min(most, max(fewest, total / PROBE_STEPS))
    return max(1, round(steps / unit)) * unit


def _pictures(config: RunConfig, total: int | None) -> int:
    """How many times they are taken."""
    written = config.log.pictures
    if not isinstance(written, str):
        return written
    if written == "off":
        return 0
    if total is None or total >= FEW_STEPS:
        return PICTURES
    return FEW_PICTURES if total >= LEAST_STEPS else 0


def _histograms(
    config: RunConfig, unit: int, per_epoch: int, total: int | None, pictures: Due
) -> Due:
    written = config.log.histograms
    if isinstance(written, Duration):
        return Due(each=_rounded("histograms", written, unit, per_epoch, total))
    return Due() if written == "off" else pictures


def _example_count(config: RunConfig) -> int:
    written = config.log.examples
    return written if not isinstance(written, str) else _EXAMPLES if written == "auto" else 0


def _examples(config: RunConfig, per_epoch: int, total: int | None) -> Due:
    """At equal distances; in a run of unknown length after each epoch."""
    count = _example_count(config)
    if total is None:
        return Due(each=per_epoch) if count else Due()
    return Due(tuple(sorted({ceil(total * (n + 1) / count) for n in range(count)})))


def _kept(config: RunConfig, per_epoch: int, total: int | None) -> int | None:
    written = config.log.checkpoints
    if isinstance(written, Duration):
        return _rounded("checkpoints", written, 1, per_epoch, total)
    return 0 if written == "log" else None


def _rounded(name: str, written: Duration, unit: int, per_epoch: int, total: int | None) -> int:
    """A duration in steps, to the nearest multiple of a unit."""
    if written.amount == 0:
        text = "must be greater than 0" + ("" if name == "every" else " (or off)")
        raise MistakeError(("log", name), text)
    steps = steps_of(written, ("log", name), per_epoch, total)
    return max(1, round(steps / unit)) * unit


def steps_of(duration: Duration, path: Path, per_epoch: int, total: int | None) -> int:
    """A duration in updates.

    Raises:
        MistakeError: at its path, if it cannot be counted so.
    """
    try:
        return duration.steps(per_epoch=per_epoch, total=total)
    except ValueError:
        text = f"{duration} cannot be counted in steps here"
        raise MistakeError(path, f"{text} (give epochs or steps)") from None


def check_times(config: RunConfig, per_epoch: int, total: int | None) -> None:
    """Every duration can be counted; warm-up ends, and averaging begins, within the run.

    Raises:
        MistakeError: at the place of the first that does not fit.
    """
    schedule, averaging = config.schedule, config.train.averaging
    _check_durations(schedule, ("schedule",), per_epoch, total)
    if not isinstance(averaging, str):
        _check_durations(averaging, ("train", "averaging"), per_epoch, total)
    if schedule.uses_total and total is None:
        text = (
            f"{schedule.kind} needs to know the end of the run (give train.epochs or train.steps)"
        )
        raise MistakeError(("schedule",), text)
    warmup = steps_of(schedule.warmup, ("schedule", "warmup"), per_epoch, total)
    if total is not None and warmup > total:
        text = f"is {warmup:,} steps, longer than the run of {total:,} (write such as 10%)"
        raise MistakeError(("schedule", "warmup"), text)
    if isinstance(averaging, SwaConfig) and total is not None:
        path = ("train", "averaging", "start")
        start = steps_of(averaging.start, path, per_epoch, total)
        if start > total:
            text = f"is {start:,} steps, longer than the run of {total:,} (write such as 75%)"
            raise MistakeError(path, text)
    stopping = config.train.stopping
    if stopping is not None:
        path = ("train", "early_stopping")
        short = isinstance(config.train.early_stopping, Duration)
        steps_of(stopping.patience, path if short else (*path, "patience"), per_epoch, total)


def _check_durations(kind: Kind, path: Path, per_epoch: int, total: int | None) -> None:
    for name in type(kind).model_fields:
        value = getattr(kind, name)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Duration):
                steps_of(item, (*path, name), per_epoch, total)
