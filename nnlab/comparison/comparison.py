"""A comparison before it is run: which runs it has, each with its whole config."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nnlab.config.loading import (
    Document,
    Text,
    comparison_mistake,
    document_of,
    place_for,
    read_text,
    validate_document,
    with_absolute_paths,
)
from nnlab.config.origins import Gathered, Origins, error_at_places
from nnlab.config.overrides import Change, apply_changes, parse_change
from nnlab.config.run_config import RunConfig, to_plain
from nnlab.config.variants import (
    COMPARISON_KEYS,
    EVERY,
    MOST_LAYERS,
    STATUSES,
    ComparisonConfig,
    Expectation,
    read_comparison,
    read_expectations,
)
from nnlab.core.contracts import Machine
from nnlab.core.errors import ConfigError, Mistake
from nnlab.core.kinds import reading_alike
from nnlab.experiment.beside import Beside
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle

if TYPE_CHECKING:
    from nnlab.training.probes.readings import Needs


class Member(NamedTuple):
    """One run of a comparison.

    Attributes:
        variant: its name; empty where there are none.
        seed: its seed.
        unseeded: all that it needs to be trained alone, but for its seed: one for a variant.
    """

    variant: str
    seed: int
    unseeded: RunConfig

    @property
    def config(self) -> RunConfig:
        """All that it needs to be trained alone."""
        # Made when it is asked for: a variant may have thousands of seeds, and is read once.
        return self.unseeded.seeded(self.seed)

    @property
    def name(self) -> str:
        """Its folder below that of the comparison: relu-s0."""
        return f"{self.variant}-s{self.seed}" if self.variant else f"s{self.seed}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a file asks for: one run, or several that are compared.

    Attributes:
        compares: whether it is more than the config of one run.
        name: of the experiment.
        config: `variants`, `seeds`, `expect`.
        members: the runs, variant by variant.
        tree: the whole file, its base and `--set` in it; read again it gives the same. Empty
            where it is the config of one run.
        origins: where everything was written.
        text: the file as its author wrote it; None where there was no file.
    """

    compares: bool
    name: str
    config: ComparisonConfig
    members: tuple[Member, ...]
    tree: Mapping[str, Any]
    origins: Origins
    text: str | None = None

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """The lines of `expect`."""
        return read_expectations(self.config)

    @property
    def whole(self) -> Mapping[str, Any]:
        """All that was asked for, as `config.yaml` of the comparison holds it."""
        return self.tree if self.compares else to_plain(self.members[0].config)

    def of(self, variant: str) -> tuple[Member, ...]:
        """The runs of a variant; of all for `all`."""
        return tuple(m for m in self.members if variant in (m.variant, EVERY))


def load_comparison(
    source: str | Path | Text | Mapping[str, Any] | RunConfig, overrides: Sequence[str] = ()
) -> Comparison:
    """Reads a config of one run or of several.

    `--set` has the last word: it changes every variant, also where that says something else.

    Raises:
        ConfigError: as `load_config`, for all runs at once.
    """
    if isinstance(source, RunConfig):
        return _alone(source, None)
    if isinstance(source, str | Path):
        source = read_text(source)
    text = source.text if isinstance(source, Text) else None
    # These decide which variants there are; all others come on top of each variant.
    of_all = [
        o for o in overrides if o.partition("=")[0].partition(".")[0].strip() in COMPARISON_KEYS
    ]
    changes = [parse_change(override) for override in overrides if override not in of_all]
    document = document_of(source, of_all)
    if not document.compares:
        return _alone(validate_document(document, changes), text)
    comparison, mistakes = read_comparison(document.tree)
    if comparison is None:
        raise error_at_places(mistakes, document.origins)
    wrong = Gathered()
    if mistakes:
        wrong.add(error_at_places(mistakes, document.origins))
    rest = {key: value for key, value in document.tree.items() if key not in COMPARISON_KEYS}
    shared = Document(rest, document.origins.without(COMPARISON_KEYS), document.name)
    members: list[Member] = []
    seen: dict[int, object] = {}
    with reading_alike():
        for variant in comparison.names:
            own = (comparison.variants or {}).get(variant, {})
            differences = [_difference(document.origins, variant, key, own[key]) for key in own]
            try:
                config = validate_document(shared, [*differences, *changes], seen)
                seeds = comparison.seeds_from(config.first_seed)
                members += [Member(variant, seed, config) for seed in seeds]
            except ConfigError as error:
                wrong.add(error)
            if wrong.enough:
                break
    wrong.raise_if_any()
    name = members[0].config.name or "run"
    tree = _whole({**document.tree, "name": name}, comparison, changes, document.origins)
    return Comparison(True, name, comparison, tuple(members), tree, document.origins, text)


def _alone(config: RunConfig, text: str | None) -> Comparison:
    member = Member("", config.first_seed, config)
    name = config.name or "run"
    return Comparison(False, name, config, (member,), {}, config.origins, text)


def _whole(
    tree: dict[str, Any],
    comparison: ComparisonConfig,
    changes: Sequence[Change],
    origins: Origins,
) -> dict[str, Any]:
    """The file with `--set` in it (in every variant, where there are some), paths absolute."""
    if comparison.variants:
        last = {change.key: change.value for change in changes}
        tree["variants"] = {name: {**own, **last} for name, own in comparison.variants.items()}
    else:
        tree, _ = apply_changes(tree, changes, origins)
    return with_absolute_paths(
        {key: value for key, value in tree.items() if key != "base"}, origins.folder
    )


def _difference(origins: Origins, variant: str, key: str, value: Any) -> Change:
    """`model.activation: relu` of a variant, as a change of the tree."""
    inside = origins.inside(("variants", variant, key))
    where = inside.pop((), origins.file)
    return Change(key, value, where, inside)


class SettledComparison(NamedTuple):
    """A file whose meaning is known: made once by `settle_source`, then handed on.

    Attributes:
        comparison: its runs.
        experiments: variant -> what each of its runs trains, that of its first seed.
    """

    comparison: Comparison
    experiments: Mapping[str, Experiment]

    @property
    def first(self) -> Experiment:
        """What its first run trains; of a file of one run, that one."""
        return self.of(self.comparison.members[0])

    def of(self, member: Member) -> Experiment:
        """What a run trains."""
        return self.experiments[member.variant].seeded(member.seed)

    def on(self, machine: Machine) -> "SettledComparison":
        """These runs on another machine; what hangs on it is decided anew."""
        moved = {name: experiment.on(machine) for name, experiment in self.experiments.items()}
        return self._replace(experiments=moved)

    def one(self) -> Experiment:
        """What the only run trains.

        Raises:
            ConfigError: the file is a comparison.
        """
        if self.comparison.compares:
            said = [
                key for key in COMPARISON_KEYS if getattr(self.comparison.config, key) is not None
            ]
            keys = [key for key in said if key != "base"]
            raise error_at_places([comparison_mistake(keys)], self.comparison.origins)
        return self.first


def settle_comparison(comparison: Comparison, machine: Machine) -> SettledComparison:
    """What the runs of a comparison mean, so that a mistake is told before the first is trained.

    The runs of a variant differ in their seed alone: each variant is settled once.

    Raises:
        ConfigError: with all mistakes, also of `expect`.
        DataError: the data of one are missing or damaged.
    """
    found: dict[str, Experiment] = {}
    wrong = Gathered()
    beside = Beside()
    tried = set[str]()
    for member in comparison.members:
        if member.variant in tried:
            continue
        tried.add(member.variant)
        place = place_for(member.config.origins.folder)
        try:
            settled = settle(member.config, place, machine, beside=beside)
            found[member.variant] = _exactly_started(settled)
        except ConfigError as error:
            wrong.add(error)
        if len(tried) > 1 and beside.layers > MOST_LAYERS:
            text = f"the networks of the first {len(tried)} have {beside.layers:,} layers, at most "
            text += f"{MOST_LAYERS:,} go into one comparison (use several files)"
            wrong.add(error_at_places([Mistake(("variants",), text)], comparison.origins))
            break
    if comparison.compares and (unread := _unread(comparison, found)):
        wrong.add(error_at_places(unread, comparison.origins))
    wrong.raise_if_any()
    if not comparison.compares:
        found = {name: replace(one, text=comparison.text) for name, one in found.items()}
    return SettledComparison(comparison, found)


def _exactly_started(experiment: Experiment) -> Experiment:
    if experiment.config.start is None:
        return experiment
    from nnlab.runs.start_point import with_exact_start

    return with_exact_start(experiment)


def _unread(comparison: Comparison, experiments: Mapping[str, Experiment]) -> list[Mistake]:
    """Expectations of something that the runs do not read, as far as they could be settled."""
    wrong: list[Mistake] = []
    unread: list[tuple[Mistake, str, list[str]]] = []
    known = _Readings(experiments)
    for line in comparison.expectations:
        place = ("expect", line.sides, line.quantity)
        if (line.tag == "status") != (line.bound in STATUSES):
            text = f"{line.quantity} cannot be {line.bound} (status is {', '.join(STATUSES)})"
            wrong.append(Mistake(place, text))
            continue
        if line.tag == "status":
            continue
        every = EVERY in (line.left, line.right)
        sides = (name for name in experiments if every or name in (line.left, line.right))
        # Once, though several variants do not read it.
        first = next((name for name in sides if line.tag not in known.names(name)), None)
        if first is not None:
            unread.append((Mistake(place, "is not read", at_key=True), line.tag, known.tags(first)))
    return wrong + _explained(unread, comparison.origins)


class _Readings:
    """What the runs of each variant read, found when it is asked for, once for those alike."""

    def __init__(self, experiments: Mapping[str, Experiment]) -> None:
        self._experiments = experiments
        self._known: dict[object, tuple[list[str], set[str]]] = {}

    def tags(self, variant: str) -> list[str]:
        """All of them, in the order of the run."""
        return self._of(variant)[0]

    def names(self, variant: str) -> set[str]:
        """Whatever they may be called in `expect`."""
        return self._of(variant)[1]

    def _of(self, variant: str) -> tuple[list[str], set[str]]:
        one = self._experiments[variant]
        keys, splits = (score.key for score in one.scores), one.shape.sizes
        inside = id(one.design), frozenset(_when(one)), frozenset(_has(one))
        alike = (*keys, *splits, *inside)
        if alike not in self._known:
            tags = readable_tags(one)
            self._known[alike] = tags, {*tags, *map(_bare, tags)}
        return self._known[alike]


_EXPLAINED = 40
"""So many are told what they may have meant, which looks at each reading; ten are printed."""


def _explained(unread: Sequence[tuple[Mistake, str, list[str]]], origins: Origins) -> list[Mistake]:
    """Mistakes with what was meant in place of a tag, the first in the file before others."""
    order = sorted(unread, key=lambda one: origins.position(one[0]))
    told = [
        mistake._replace(text=f"{mistake.text} ({_meant(tag, known)})")
        for mistake, tag, known in order[:_EXPLAINED]
    ]
    return told + [mistake for mistake, _, _ in order[_EXPLAINED:]]


def _meant(tag: str, known: Sequence[str]) -> str:
    """The reading that was meant, or what there is."""
    if near := get_close_matches(tag, [*known, *map(_bare, known)], n=1, cutoff=0.7):
        return f"did you mean {near[0]}?"
    return f"readings are {', '.join(known[:8])}, ...; last by default, or {_MOMENTS}"


def same_tag(tag: str, written: str) -> bool:
    """Whether a tag is meant: grad_norm/hidden1.weight is short for grad_norm/00_hidden1.weight."""
    return written in (tag, _bare(tag))


def _bare(tag: str) -> str:
    return re.sub(r"^([a-z_]+/)\d+_", r"\1", tag)


_MOMENTS = "first, best, lowest or highest before it"


def readable_tags(experiment: Experiment) -> list[str]:
    """What a run reads, spelled like TensorBoard's tags; on test data once, at the end."""
    from nnlab.training.probes.readings import reading_keys, tag_of

    keys = ["loss", *(score.key for score in experiment.scores)]
    splits = [*experiment.shape.sizes]
    layers = experiment.design.layers
    inside = reading_keys(layers, when=_when(experiment), has=_has(experiment))
    return [
        *(f"{key}/{split}" for key in keys for split in splits),
        *(tag_of(key, "train") for key in inside),
    ]


def _when(experiment: Experiment) -> set[str]:
    """The fields of `log` that something is read by."""
    pace = experiment.pace
    probes = set[str]() if pace.probes is None else {"log.probes"}
    return {"log.every", *probes, *(f"log.{name}" for name in pace.costly)}


def _has(experiment: Experiment) -> "set[Needs]":
    """What of the needs of readings a run has."""
    config, activation = experiment.config, experiment.config.model.output.activation
    classes = experiment.shape.task == "classes" and config.rule.own_loss is None
    found: dict[Needs, bool] = {
        "gradient": config.rule.optimized,
        "penalty": bool(config.regularize.l1 or config.regularize.l2),
        "clip_norm": config.train.clip_norm is not None,
        "probabilities": classes
        and not isinstance(activation, str)
        and experiment.loss.probabilities_behind(activation.kind) is not None,
    }
    return {need for need, there in found.items() if there}


def settle_first(source: str | Path | Text, overrides: Sequence[str] = ()) -> Experiment:
    """What a config means; of a comparison, its first variant."""
    return settle_source(source, overrides).first


def settle_source(
    source: str | Path | Text | Mapping[str, Any] | RunConfig, overrides: Sequence[str] = ()
) -> SettledComparison:
    """What a config means, on the CPU of this machine; `SettledComparison.on` takes it to a device.

    Args:
        source: a file, a bundled name, `-`, or a text that has been read.
        overrides: as `--set` takes them.

    Raises:
        ConfigError: it is wrong, or there is no such file.
        DataError: its data are missing or damaged (those of a named set may be missing).
    """
    return settle_comparison(load_comparison(source, overrides), Machine.here())
