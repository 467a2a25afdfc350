"""Findings whose remedies were tried: what does not help is not advised, what heals is named."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

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
_NOT_TRIED = ("class_imbalance", "target_leakage")
"""Findings whose remedy is not for the score that is measured, or makes it honest."""
_OF_SCALE = ("data_not_scaled", "targets_not_scaled")
"""Findings of the data alone, which a run that goes well with them and worse without disproves."""
_FIRST = ("target_leakage",)
"""What makes every score worthless comes before what a trial made better."""
_VAGUE = ("loss_not_decreasing", "underfitting", "divergence", "too_few_updates")
"""Findings that say what happens and not why: what follows from them may name the better remedy."""
_OF_CONFIG = frozenset(setting.name for setting in SETTINGS)
_ABOUT_RATES = ("loss_not_decreasing", "learning_rate_too_high", "learning_rate_too_low",
                "divergence", "underfitting", "dead_units", "saturation",
                "exploding_gradient")  # fmt: skip
"""Findings that another learning rate may heal where their own remedy does not."""


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
    story = tell_story(known.values())
    for root in [f for f in story if not f.because and f.worse_than("note") and f.remedy][:_MOST]:
        if root.name in helped or root.name in _NOT_TRIED:
            continue
        effects = effects_of(root, story)
        further = [known[f.name].remedy for f in effects if known[f.name].remedy]
        further = further if root.name in _VAGUE else []
        found, gain = _tried(root, facts, trials, further)
        if root.name in _OF_SCALE and not found.remedy and watcher.went_well:
            found = replace(found, level="note")  # nothing that it could cost was found
        known[found.name] = found
        if gain is not None:
            helped[found.name] = gain
    return _healing_first(tell_story(known.values()), helped)


def _confirmed_suspects(
    watcher: Watcher, roots: Sequence[Finding], facts: Facts, trials: Trials
) -> list[tuple[Finding, float]]:
    """Fields of the config without which the run does clearly better, and by how much."""
    data = TOPICS["data"] | TOPICS["splits"]
    known = watcher.best_share >= _WELL and all(root.name in data for root in roots)
    if watcher.went_well or known:
        return []
    if any(root.name in _OF_CONFIG and root.name not in _ANY for root in roots):
        return []  # a cause in the config is known already
    found: list[tuple[Finding, float]] = []
    suspects = (replace(s, remedy=effective(facts, s.remedy)) for s in watcher.suspects())
    for suspect in [s for s in suspects if s.remedy and s.name not in _ANY][:_MOST]:
        trial = trials.try_change(suspect.remedy, share=0.3)
        if trial is None or trial.verdict != "helps":
            continue
        if trial.gain < (_CLEAR if suspect.name in _COMMON and not roots else _PLAIN):
            continue
        found.append((replace(suspect, level="warning", tried=trial.text), trial.gain))
    found.sort(key=lambda pair: -pair[1])
    return found[:1]


def _tried(
    root: Finding, facts: Facts, trials: Trials, further: Sequence[tuple[str, ...]]
) -> tuple[Finding, float | None]:
    """A finding with the best remedy that was tried, and the gain where it clearly helps.

    Args:
        root: with a remedy of its own.
        facts: of the run.
        trials: of the run.
        further: remedies of what follows from it, which may heal more.
    """
    first = trials.try_change(root.remedy, share=0.4)
    if first is None or first.verdict == "unknown":
        return root, None
    best: Trial | None = first if first.verdict == "helps" else None
    if best is not None and best.gain >= _CLEAR:
        return replace(root, tried=best.text), best.gain
    others = list(further) if best else [*further, *_alternatives(root, facts)]
    for other in others:
        trial = trials.try_change(other, share=0.5)
        if (
            trial is not None
            and trial.verdict == "helps"
            and (best is None or trial.gain > best.gain)
        ):
            best = trial
    if best is not None:
        return replace(root, remedy=best.remedy, tried=best.text), best.gain
    if first.verdict == "harms":
        told = f"{root.flags} was {first.text}: it is not advised"
        return replace(root, remedy=(), tried=told), None
    if first.whole and first.gain <= 0.0:
        told = f"{root.flags} was {first.text}: no better, so it is not advised"
        return replace(root, remedy=(), tried=told), None
    return replace(root, tried=f"{first.text}: no clear difference"), None


def _alternatives(root: Finding, facts: Facts) -> Iterator[tuple[str, ...]]:
    """What else could heal it: parts of its remedy, other learning rates."""
    if len(root.remedy) > 1:
        yield from ((change,) for change in root.remedy)
    optimizer = facts.config.optimizer
    if root.name not in _ABOUT_RATES or not optimizer.follows_lr or optimizer.closure:
        return
    default = type(optimizer).model_fields["lr"].default
    rates = [default] if isinstance(default, float) else []
    for rate in dict.fromkeys((*rates, optimizer.lr / 10.0, optimizer.lr * 10.0)):
        change = effective(facts, (f"optimizer.lr={rate:.1g}",))
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
