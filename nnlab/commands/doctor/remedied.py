"""Findings whose remedies were tried: what does not help is not advised, what heals is named."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from nnlab.commands.doctor.trials import Trial, Trials
from nnlab.core.finding import Finding
from nnlab.diagnosis.checks.remedies import effective
from nnlab.diagnosis.evidence.facts import Facts
from nnlab.diagnosis.story import effects_of, tell_story
from nnlab.diagnosis.watcher import SETTINGS, TOPICS, Watcher

_MOST = 3
"""So many findings, and so many suspicions, are tried."""
_WELL = 0.9
"""Where more of a blind guess's loss is gone and nothing is wrong, no suspicion is tried."""
_CLEAR, _PLAIN = 0.12, 0.04
"""So much more of a score a run without a warning must gain before it is called sick: by a change
that many healthy runs would gain from, and by one of a field that is far from usual."""
_COMMON = ("augmentation_too_strong", "clip_norm_too_small", "unusual_setting", "loss_does_not_fit",
           "linear_network")  # fmt: skip
_ANY = ("too_few_updates", "batch_too_large")
"""Suspicions that fall on many healthy runs; what nearly every run would gain from."""
_NEVER_USUAL = ("warmup_too_long", "schedule_ends_too_early", "momentum_too_large",
                "epsilon_too_large", "averaging_too_slow")  # fmt: skip
"""Suspicions that no healthy run has: of a run that went well, too, they are tried."""
_OF_ONE_PLACE = ("badly_initialized_layer", "group_rate_too_high")
"""Findings that name the very field: "an unusual setting" would say less of the same."""
_NOT_TRIED = ("class_imbalance", "target_leakage")
"""Findings whose remedy is not for the score that is measured, or makes it honest."""
_OF_SCALE = ("data_not_scaled", "targets_not_scaled")
"""Findings of the data alone: a run that does no better without them, to its end or while it goes
well, disproves that they cost anything."""
_LIKE_NOISE = "underfitting"
"""A network that is too small and rows that hold no more look alike until a larger one is tried."""
_OF_LOSS = ("overfitting", "loss_not_decreasing", _LIKE_NOISE)
"""What a loss does: beside nearly perfect scores, and no better with its remedy, it is no harm."""
_LONG_ENOUGH = 0.15
"""Of the run: a larger network that is no better by then, beside a loss that rests, will not be."""
_FIRST = ("target_leakage",)
"""What makes every score worthless comes before what a trial made better."""
_VAGUE = ("loss_not_decreasing", "underfitting", "divergence", "too_few_updates")
"""Findings that say what happens and not why: what follows from them may name the better remedy."""
_NOT_ALONE = ("label_noise",)
"""Findings that make worse what has another cause as well: rows without wrong labels are learned
by heart, too, if there is the time. Where the loss says so, both remedies are advised."""
_OF_FIRST_WEIGHTS = ("poor_initialization", "exploding_gradient", "saturation", "dead_units")
"""Findings whose cause can be the first weights: another rate alone would leave it there, and with
usual ones the rate may be too high in its turn."""
_OF_CONFIG = frozenset(setting.name for setting in SETTINGS)
_ABOUT_RATES = ("loss_not_decreasing", "learning_rate_too_high", "learning_rate_too_low",
                "divergence", "underfitting", "poor_initialization", "dead_units", "saturation",
                "exploding_gradient")  # fmt: skip
"""Findings that another learning rate may heal where their own remedy does not."""
_TOO_FAST = ("learning_rate_too_high", "divergence")
"""Of these, what no higher rate heals."""


def try_remedies(watcher: Watcher, findings: Sequence[Finding], facts: Facts,
                 trials: Trials) -> list[Finding]:  # fmt: skip
    """The story of the findings, each cause's remedy tried.

    A field of the config that is far from usual is a finding, too, where the run does clearly
    better without it: nothing shows a cause better than to take it away.

    Args:
        watcher: that has judged the run.
        findings: that it made, with what else was found.
        facts: of the run.
        trials: of the run; where none are possible nothing changes.
    """
    story = tell_story(findings)
    if not trials.possible:
        return story
    roots = [f for f in story if not f.because and f.worse_than("note")]
    helped: dict[str, float] = {}
    known = {finding.name: finding for finding in findings}
    proven = _confirmed_suspects(watcher, roots, facts, trials)
    for finding, gain in proven:
        known[finding.name], helped[finding.name] = finding, gain
    if not helped and not roots:
        for finding, gain in _confirmed_weights(watcher, story, trials):
            known[finding.name], helped[finding.name] = finding, gain
    asked: set[str] = {*helped, *_NOT_TRIED}
    for _ in range(_MOST):
        # What is disproved explains nothing any more: others are causes then.
        story = tell_story(known.values())
        roots = [f for f in story if not f.because and f.worse_than("note") and f.remedy]
        root = next((f for f in roots if f.name not in asked), None)
        if root is None:
            break
        asked.add(root.name)
        effects = effects_of(root, story)
        further = [known[f.name].remedy for f in effects if known[f.name].remedy]
        if root.name in _NOT_ALONE:  # the two go together
            further = [(*root.remedy, *more) for more in further]
        elif root.name not in _VAGUE:
            further = []
        found, first, gain = _tried(root, facts, trials, further)
        known[found.name] = found
        if gain is not None:
            helped[found.name] = gain
        elif first is not None:
            known[found.name] = _disproved(found, first, facts, well=watcher.went_well)
    return _healing_first(tell_story(known.values()), helped)


def _confirmed_suspects(
    watcher: Watcher, roots: Sequence[Finding], facts: Facts, trials: Trials
) -> list[tuple[Finding, float]]:
    """Fields of the config without which the run does clearly better, and by how much."""
    data = TOPICS["data"] | TOPICS["splits"]
    known = watcher.best_share >= _WELL and all(root.name in data for root in roots)
    if known:
        return []
    if any(root.name in _OF_CONFIG and root.name not in _ANY for root in roots):
        return []  # a cause in the config is known already
    found: list[tuple[Finding, float]] = []
    suspects = (replace(s, remedy=effective(facts, s.remedy)) for s in watcher.suspects())
    asked = [s for s in suspects if s.remedy and s.name not in _ANY]
    if any(root.name in _OF_ONE_PLACE for root in roots):
        asked = [s for s in asked if s.name != "unusual_setting"]
    if watcher.went_well:
        asked = [s for s in asked if s.name in _NEVER_USUAL]
    for suspect in asked[:_MOST]:
        trial = trials.try_change(suspect.remedy, share=0.3)
        if trial is None or trial.verdict != "helps":
            continue
        if trial.gain < (_CLEAR if suspect.name in _COMMON and not roots else _PLAIN):
            continue
        found.append((replace(suspect, level="warning", tried=trial.text), trial.gain))
    found.sort(key=lambda pair: -pair[1])
    return found[:1]


def _confirmed_weights(
    watcher: Watcher, story: Sequence[Finding], trials: Trials
) -> list[tuple[Finding, float]]:
    """First weights far from usual, told as a note: a warning where the run does better without."""
    if not watcher.heavy_weights:
        return []
    found: list[tuple[Finding, float]] = []
    for note in story:
        if note.name == "poor_initialization" and note.remedy:
            trial = trials.try_change(note.remedy, share=0.4)
            if trial is not None and trial.verdict == "helps" and trial.gain >= _PLAIN:
                found.append((replace(note, level="warning", tried=trial.text), trial.gain))
    return found


def _disproved(finding: Finding, first: Trial, facts: Facts, *, well: bool) -> Finding:
    """A finding whose remedy does not help: a note, where that says that it was not true."""
    if finding.name in _OF_SCALE and not finding.remedy and (first.whole or well):
        return replace(finding, level="note")
    if finding.name in _OF_CONFIG and first.whole and not finding.remedy:
        return replace(finding, level="note")  # taken away, and nothing was better
    if finding.name in _OF_LOSS and well and first.whole and not finding.remedy:
        return replace(finding, level="note")
    total = facts.experiment.total or first.updates
    if finding.name == _LIKE_NOISE and (first.whole or first.updates >= _LONG_ENOUGH * total):
        said, _, _ = finding.meaning.rpartition(":")
        more = "a larger network does no better, so the rows may hold no more"
        return replace(finding, level="note", remedy=(), meaning=f"{said}: {more}")
    return finding


class _Tried(NamedTuple):
    """What trials made of a finding."""

    finding: Finding
    """With the best remedy that was tried."""
    first: Trial | None = None
    """Of its own remedy; None where that was not tried, or too shortly to say."""
    gain: float | None = None
    """None where nothing clearly helps."""


def _tried(
    root: Finding, facts: Facts, trials: Trials, further: Sequence[tuple[str, ...]]
) -> _Tried:
    """A finding with the best remedy that was tried, and the gain where it clearly helps.

    Args:
        root: with a remedy of its own.
        facts: of the run.
        trials: of the run.
        further: remedies of what follows from it, which may heal more.
    """
    first = trials.try_change(root.remedy, share=0.4)
    if first is None or first.verdict == "unknown":
        return _Tried(root)
    best: Trial | None = first if first.verdict == "helps" else None
    if best is not None and best.gain >= _CLEAR and (best.lower or not further):
        return _Tried(replace(root, tried=best.text), first, best.gain)
    others = list(further) if best else [*further, *_alternatives(root, facts)]
    for other in others:
        trial = trials.try_change(other, share=0.5)
        if (
            trial is not None
            and trial.verdict == "helps"
            and (best is None or trials.ranks_above(trial, best) or _mends_loss(trial, best))
        ):
            best = trial
    if best is not None:
        return _Tried(replace(root, remedy=best.remedy, tried=best.text), first, best.gain)
    if first.verdict == "harms":
        told = f"{root.flags} was {first.text}: it is not advised"
        return _Tried(replace(root, remedy=(), tried=told), first)
    if first.whole and first.gain <= 0.0:
        told = f"{root.flags} was {first.text}: no better, so it is not advised"
        return _Tried(replace(root, remedy=(), tried=told), first)
    return _Tried(replace(root, tried=f"{first.text}: no clear difference"), first)


def _mends_loss(trial: Trial, best: Trial) -> bool:
    """Whether a trial gains about as much as the best one, which made the loss higher."""
    return trial.lower and not best.lower and trial.gain > 0.5 * best.gain


def _alternatives(root: Finding, facts: Facts) -> Iterator[tuple[str, ...]]:
    """What else could heal it: parts of its remedy, other learning rates."""
    if len(root.remedy) > 1:
        yield from ((change,) for change in root.remedy)
    optimizer = facts.config.optimizer
    if root.name not in _ABOUT_RATES or not optimizer.follows_lr or optimizer.closure:
        return
    default = type(optimizer).model_fields["lr"].default
    rates = [default] if isinstance(default, float) else []
    tenth, tenfold = optimizer.lr / 10.0, optimizer.lr * 10.0
    first = root.name in _OF_FIRST_WEIGHTS and root.since == 0
    last = optimizer.lr / 100.0 if root.name in _TOO_FAST else tenfold
    for rate in dict.fromkeys((tenth, last) if first else (*rates, tenth, last)):
        also = root.remedy if first else ()
        change = effective(facts, (*also, f"optimizer.lr={rate:.1g}"))
        if change and change != root.remedy:
            yield change


def _healing_first(story: Sequence[Finding], helped: dict[str, float]) -> list[Finding]:
    """Causes whose remedy was seen to help before others, each with what follows from it."""
    roots = [finding for finding in story if not finding.because]
    best = max(helped.values(), default=0.0)
    strong = [f.name for f in roots if helped.get(f.name, 0.0) > 0.5 * best > 0.0]
    strong += _FIRST
    roots.sort(key=lambda f: f.worse_than("note") and f.name not in strong)
    notes = [f for f in roots if not f.worse_than("note")]
    told: list[Finding] = []
    for root in [*(f for f in roots if f.worse_than("note")), *notes]:
        told += [root, *(f for f in story if f.because[:1] == (root.name,))]
    return told
