"""What is wrong with an experiment before it is trained: data, first signal, one small batch."""

from collections.abc import Sequence
from math import isfinite, log
from shlex import quote
from typing import Any

import torch

from nnlab.commands.doctor.depth import by_depth
from nnlab.commands.doctor.report import Column, DoctorReport
from nnlab.comparison.comparison import Comparison, SettledComparison
from nnlab.config.loading import bundled_configs
from nnlab.core.contracts import Examples, Split
from nnlab.core.finding import Finding
from nnlab.diagnosis.checks.weights import symmetric_units
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.evidence.history import History
from nnlab.diagnosis.story import tell_story
from nnlab.diagnosis.watcher import Looked, Watcher
from nnlab.experiment.experiment import Experiment
from nnlab.parts.datasets.checks import counts_of, data_notes
from nnlab.runs.building.build import BuiltRun, build_trainer, source_of
from nnlab.runs.building.probing import probe_rows
from nnlab.runs.building.scoring import loss_of
from nnlab.runs.observers.findings import facts_of
from nnlab.training import device as devices

SMALL, UPDATES = 16, 200
"""Examples of the batch that must be learned by heart, and the updates it may take."""
_UNTRAINED = "only training shows it (nnlab doctor RUN)"
FALL = 0.5
"""Of its loss so much must be left at most."""
_COLUMNS = (
    Column("signal", "signal"),
    Column("theory", "signal_theory", beside=True),
    Column("gradient", "gradient"),
    Column("theory", "gradient_theory", beside=True),
    Column("likeness", "likeness", ".2f"),
    Column("theory", "likeness_theory", ".2f", beside=True),
    Column("dead", "dead_units", ".0%"),
    Column("sat.", "saturated", ".0%"),
)


def examine_config(
    settled: SettledComparison, overrides: Sequence[str], *, name: str
) -> DoctorReport:
    """Looks at an experiment on the CPU: nothing is written, nothing that training draws is drawn.

    Args:
        settled: its config; of a comparison the first run is looked at.
        overrides: what `--set` said, for the commands that are advised.
        name: how it was asked for.

    Raises:
        DataError: its data are missing or damaged.
    """
    comparison, experiment = settled.comparison, settled.first
    device = torch.device("cpu")
    examples = experiment.load()
    facts = facts_of(experiment, examples, doubles=True)
    findings: list[Finding] = []
    layers: dict[str, dict[str, float | None]] = {}
    with (
        devices.torch_settings(threads=experiment.threads, deterministic=False),
        devices.own_generator(device),
    ):
        built = build_trainer(experiment, examples, device)
        watcher = Watcher(facts)
        if facts.followed and not experiment.shape.start:
            first = _first_reading(built)
            layers = _layers(facts, experiment, examples, built, first)
            watcher.read(0, "train", first)
            findings += watcher.findings.values()
            findings += _small_batch(facts, examples, built, watcher)
        else:
            watcher.read(0, "train", {})
            findings += watcher.findings.values()
            first = {}
    return DoctorReport(
        about=(_title(comparison, name), *_about(experiment, examples, facts, first)),
        findings=tuple(tell_story(findings)),
        columns=_COLUMNS,
        layers=layers,
        remarks=(*_legend(layers), *data_notes(examples)),
        looked=_looked(watcher, facts),
        facts={
            "config": comparison.origins.file,
            "first_loss": first.get("loss"),
            "blind_loss": _blind(facts),
        },
        command=f"nnlab train {quote(name)}",
        changes=tuple(overrides),
    )


def _looked(watcher: Watcher, facts: Facts) -> Looked:
    """What was looked for; of the course of a run nothing can be seen yet."""
    found = watcher.looked()
    missed = dict.fromkeys(found.missed, _UNTRAINED)
    if not facts.followed or facts.experiment.shape.start:
        return Looked(found.done, missed)
    small = ("symmetric_units", "cannot_learn_one_batch")
    missed = {name: why for name, why in missed.items() if name not in small}
    return Looked((*found.done, *small), missed)


def _first_reading(built: BuiltRun) -> dict[str, float]:
    """The full probe of step 0, as training would record it."""
    trainer = built.trainer
    batch, *others = trainer.order.batches(0)[:4]
    trainer.announce([batch])
    built.step.probe(batch, beside=others)
    return built.step.read()


def _layers(
    facts: Facts,
    experiment: Experiment,
    examples: Examples,
    built: BuiltRun,
    first: dict[str, float],
) -> dict[str, dict[str, float | None]]:
    split: Split = "validation" if "validation" in experiment.shape.sizes else "train"
    parameter = next(built.network.parameters())
    source = source_of(examples, device=parameter.device, dtype=parameter.dtype)
    batch = source.gather(probe_rows(examples, split))
    loss = loss_of(experiment, examples, built.network)
    found = by_depth(built.network, batch, loss, facts)
    for layer in facts.layers:
        for name in ("dead_units", "saturated"):
            if layer.name in found:
                found[layer.name][name] = first.get(f"{name}/{layer.key}")
    return found


def _small_batch(
    facts: Facts, examples: Examples, built: BuiltRun, watcher: Watcher
) -> list[Finding]:
    """Whether the network can learn one small batch by heart; what its weights look like then."""
    step, history = built.step, History()
    rows = torch.from_numpy(examples.rows["train"])
    rows = rows[torch.arange(min(SMALL, len(rows))) * len(rows) // min(SMALL, len(rows))]
    step.fill_learning_rate(facts.config.optimizer.lr)
    step.probe(rows, beside=[])
    before = step.read()
    for _ in range(UPDATES - 1):
        step.update(rows)
    step.read()
    step.probe(rows, beside=[])
    step.update(rows)
    after = step.read()
    history.add(0, "train", before)
    history.add(UPDATES, "train", after)
    alike = symmetric_units(history, facts)
    if alike is not None:
        return [alike]
    sick = any(f.worse_than("warning") for f in watcher.findings.values())
    start, end = before["loss"], after["loss"]
    if sick or (isfinite(end) and end <= FALL * start):
        return []
    return [
        Finding(
            name="cannot_learn_one_batch",
            level="warning",
            layer=None,
            measured=end / start if isfinite(end) and start else None,
            quantity=f"loss of {len(rows)} examples after {UPDATES} updates, over the first",
            since=0,
            meaning=f"a network that can learn should know {len(rows)} examples by heart after "
            f"{UPDATES} updates on them alone: the rate, the size or the data do not fit",
            advice="nnlab lr says which rates make the loss fall",
            source="Karpathy 2019, A recipe for training neural networks",
        )
    ]


def _title(comparison: Comparison, name: str) -> str:
    """What was looked at: a bundled config by its name, others by their file."""
    runs = len(comparison.members)
    several = f"; of {runs} runs the first" if runs > 1 else ""
    file = name if name in bundled_configs() else comparison.origins.file
    return f"{file}: not trained{several}"


def _about(
    experiment: Experiment, examples: Examples, facts: Facts, first: dict[str, float]
) -> tuple[str, ...]:
    config, size = experiment.config, experiment.design.parameters
    lines = [
        f"{config.model.kind} of {size:,} parameters on {config.data.called}, "
        f"{config.optimizer.kind}, lr {config.optimizer.lr:g}",
    ]
    blind, shape = _blind(facts), experiment.shape
    if "loss" in first:
        guess = "" if blind is None else f"; a guess without looking has {blind:.4g}"
        if shape.task == "classes":
            guess += f", ln {shape.outputs} = {log(shape.outputs):.4g}"
        lines.append(f"first loss {first['loss']:.4g}{guess}")
    if shape.task == "classes":
        counts = counts_of(examples, "train")
        lines.append(f"classes of {min(counts):,} to {max(counts):,} training examples")
    data = facts.data
    if shape.tokens:
        lines.append(f"inputs are {shape.tokens:,} different tokens")
    elif data is not None:
        lines.append(
            f"inputs of size {data.size:.3g} (root mean square); deviation of columns "
            f"{data.smallest:.2g} to {data.largest:.2g}"
        )
    return tuple(lines)


def _blind(facts: Facts) -> float | None:
    return facts.data.blind if facts.data is not None else None


def _legend(layers: dict[str, Any]) -> tuple[str, ...]:
    if not layers:
        return ()
    return (
        "signal: root mean square of the pre-activations; gradient: of the loss by them, over the "
        "last layer's; likeness: mean cosine of two examples; theory: of wide layers (Poole 2016, "
        "Schoenholz 2017), from the first measured ones",
    )
