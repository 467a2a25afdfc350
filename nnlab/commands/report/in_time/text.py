"""What a report says of a network that tells the next token at every step of a window."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nnlab.commands.report import intervals
from nnlab.commands.report.in_time.facts import PlaceLoss, ReadWindow, TextFacts, WrittenSample
from nnlab.commands.report.intervals import Floats, Statistic
from nnlab.commands.report.report import Scored
from nnlab.core.contracts import ExampleScore, Split
from nnlab.core.errors import DivergedError
from nnlab.experiment.experiment import Experiment
from nnlab.parts.datasets.sequences.text import TextLikeConfig
from nnlab.parts.scores.classes import AccuracyConfig
from nnlab.parts.scores.sequences import BitsPerTokenConfig, PerplexityConfig
from nnlab.runs.building.build import source_of
from nnlab.runs.building.forward import batches_of, forward_of, order_of
from nnlab.runs.building.scoring import blind_baseline, loss_of, scores_of
from nnlab.runs.building.writing import Sampling, written_tokens
from nnlab.runs.finished.reopen import Opened

_STANDARD = (AccuracyConfig(), PerplexityConfig(), BitsPerTokenConfig())
_WORST, _SHOWN = 6, 64
"""So many windows are shown, of each at most so many steps."""
_LENGTH, _VIEW = 400, 64
"""So many tokens are written, each with at most so many in view."""
_TEMPERATURES = (0.5, 1.0)


@dataclass(frozen=True, slots=True)
class TextCase:
    """N windows of a split, each with P answers.

    Attributes:
        opened: the run.
        split: which.
        losses: (N, P).
        terms: (N, width) what each window adds to a score, by its key.
    """

    opened: Opened
    split: Split
    losses: Floats
    terms: Mapping[str, Floats]

    @property
    def rows(self) -> NDArray[np.int64]:
        """(N,) row numbers of the table."""
        return self.opened.examples.rows[self.split]


def text_case_of(opened: Opened, split: Split) -> TextCase:
    """What the best network says of a split, batch by batch: the outputs are never all held.

    Raises:
        DivergedError: the loss is not finite.
    """
    experiment, examples = _with_standard(opened), opened.examples
    loss = loss_of(experiment, examples, opened.network)
    scores = scores_of(experiment, examples)
    dtype = next(opened.network.parameters()).dtype
    source = source_of(examples, device=opened.device, dtype=dtype)
    batches = batches_of(experiment, examples.rows[split], opened.device)
    losses: list[torch.Tensor] = []
    terms: dict[str, list[torch.Tensor]] = {key: [] for key in scores}
    with forward_of(experiment, opened.network, alone=True).over(source, batches) as found:
        for batch, outputs in found:
            count = len(batch.rows)
            losses.append(loss(outputs, batch).reshape(count, -1).double().cpu())
            for key, score in scores.items():
                assert isinstance(score, ExampleScore)
                each = score.terms(outputs, batch).double()
                terms[key].append(each.reshape(count, -1, each.shape[1]).sum(1).cpu())
    order = order_of(batches, examples.rows[split])
    whole = torch.cat(losses)[order].numpy()
    if not np.isfinite(whole.mean()):
        raise DivergedError(f"{opened.name}: the {split} loss is not finite")
    added = {key: torch.cat(parts)[order].numpy() for key, parts in terms.items()}
    return TextCase(opened, split, whole, added)


def _with_standard(opened: Opened) -> Experiment:
    """The experiment with the usual scores of texts beside those that were asked for."""
    experiment = opened.experiment
    usual = [score for score in _STANDARD if score.mistake(experiment.shape) is None]
    every = {score.key: score for score in (*experiment.scores, *usual)}
    config = experiment.config.model_copy(update={"scores": tuple(every.values())})
    return replace(experiment, config=config)


def scores_of_text(case: TextCase) -> list[Scored]:
    """Loss and scores; windows are drawn again, as the steps of one hang together."""
    experiment, examples = _with_standard(case.opened), case.opened.examples
    windows, places = case.losses.shape
    scores = scores_of(experiment, examples)
    each = case.losses.mean(axis=1)
    statistics: dict[str, Statistic] = {"loss": lambda counts: counts @ each / windows}
    values = {"loss": float(each.mean())}
    for key, terms in case.terms.items():
        score = scores[key]
        values[key] = score.value(terms.sum(axis=0).tolist(), windows * places)
        statistics[key] = _of_terms(terms, score, places)
    draws = intervals.bootstrap_statistics(statistics, windows)
    guessed = blind_baseline(experiment, examples, case.split)
    better = {score.key: score.higher_is_better for score in experiment.scores}
    found: list[Scored] = []
    for key, value in values.items():
        interval = intervals.percentile_interval(draws[key])
        method = "none" if interval is None else "bootstrap"
        base = guessed.get(key)
        found.append(Scored(key, value, interval, method, base, better.get(key, False), draws[key]))
    return found


def _of_terms(terms: Floats, score: Any, places: int) -> Statistic:
    def statistic(counts: Floats) -> Floats:
        answers = len(terms) * places
        return np.array([score.value(sums, answers) for sums in (counts @ terms).tolist()])

    return statistic


def text_facts(case: TextCase) -> TextFacts:
    """Loss by place, the worst windows, and what the network writes."""
    from nnlab.diagnosis.evidence.blind_guess import blind_loss

    opened = case.opened
    guess = blind_loss(opened.experiment, opened.examples, split=case.split)
    return TextFacts(_places(case), guess, _worst(case), _samples(opened))


def _places(case: TextCase) -> tuple[PlaceLoss, ...]:
    windows = len(case.losses)
    means = case.losses.mean(axis=0)
    # Of a mean over windows: normal, as they are many or the interval is told of none.
    half = 1.96 * case.losses.std(axis=0, ddof=1) / windows**0.5 if windows > 1 else None
    return tuple(
        PlaceLoss(
            place + 1,
            float(mean),
            None if half is None else float(mean - half[place]),
            None if half is None else float(mean + half[place]),
        )
        for place, mean in enumerate(means)
    )


def _worst(case: TextCase) -> tuple[ReadWindow, ...]:
    means = case.losses.mean(axis=1)
    order = np.argsort(-means, kind="stable")[:_WORST]
    names, targets = case.opened.experiment.shape.classes, case.opened.examples.targets
    return tuple(
        ReadWindow(
            row=int(case.rows[index]),
            loss=float(means[index]),
            tokens=tuple(names[int(n)] for n in targets[case.rows[index]][:_SHOWN]),
            losses=tuple(case.losses[index][:_SHOWN].tolist()),
        )
        for index in order
    )


def _samples(opened: Opened) -> tuple[WrittenSample, ...]:
    """What it goes on with behind the first validation window, at two temperatures."""
    data, examples = opened.experiment.config.data, opened.examples
    if not isinstance(data, TextLikeConfig) or examples.windows is None:
        return ()
    vocabulary = data.tokens_of(opened.experiment.place)
    rows = examples.rows.get("validation", examples.rows["train"])
    start = int(rows[0]) * examples.windows.stride
    begin: list[int] = examples.windows.series[start : start + min(data.window, 32)].tolist()
    found: list[WrittenSample] = []
    for temperature in _TEMPERATURES:
        tokens = written_tokens(
            opened.experiment,
            opened.network,
            begin,
            window=min(data.window, _VIEW),
            sampling=Sampling(temperature=temperature),
            alone=True,
        )
        wrote = vocabulary.text_of(list(islice(tokens, _LENGTH)))
        found.append(WrittenSample(temperature, vocabulary.text_of(begin), wrote))
    return tuple(found)
