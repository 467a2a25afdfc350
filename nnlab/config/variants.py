"""The words of a comparison: `base`, `variants`, `seeds`, `expect`, and what they may say.

    seeds: 5
    variants:
      sigmoid: {}
      relu: {model.activation: relu}
    expect:
      relu: {accuracy/validation: at_least 0.95}
      relu over sigmoid: {first grad_norm/00_hidden1.weight: at_least 100}

A file without any of them is the config of one run.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from math import inf
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, cast

from pydantic import BeforeValidator, Field, PositiveInt, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from nnlab.core.errors import Mistake, Path
from nnlab.core.kinds import Config, Forms

COMPARISON_KEYS = ("base", "variants", "seeds", "expect")
"""Keys of a file that make it a comparison, or build it on another."""
MOST_VARIANTS = 100
MOST_LAYERS = 20_000
"""Of all the different networks of a comparison: each is planned before the first run."""
EVERY = "all"
"""The word for every variant; for the runs of a file without variants."""

_NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}"
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_BOUND = re.compile(
    rf"(?:(at_least|at_most|above|below) +({_NUMBER}))|(?:between +({_NUMBER}) +and +({_NUMBER}))"
)
_SIDES = re.compile(rf"({_NAME})(?: +(over|minus) +({_NAME}))?")
_MOMENT = re.compile(r"(?:(first|last|best|lowest|highest) +)?([a-z0-9_]\S*)")
STATUSES = ("completed", "early_stopped", "time_limit", "diverged")


def spelled_as(text: str, form: str, *, number: bool = False) -> Any:
    """Text of a form (a pattern) that an error can say in words; the schema says the pattern.

    With `number` the form is also what to say of a value that is no text at all.
    """

    def check(value: object) -> object:
        if isinstance(value, str) and re.fullmatch(text, value):
            return value
        if isinstance(value, str) or number:
            raise PydanticCustomError("form", "needs {needs}", {"needs": form, "names": []})
        return value

    # For the schema alone: as a constraint pydantic would tell the pattern in place of words.
    pattern: Any = {"pattern": f"^(?:{text})$"}
    return Annotated[str, BeforeValidator(check), Field(json_schema_extra=pattern)]


if TYPE_CHECKING:
    VariantName = str
    Sides = str
    Quantity = str
    Bound = str
else:
    VariantName = spelled_as(_NAME, "up to 60 letters, digits, _, . or -")
    Sides = spelled_as(
        _SIDES.pattern, "a variant, all, or such as 'relu over sigmoid' or 'relu minus sigmoid'"
    )
    Quantity = spelled_as(
        _MOMENT.pattern, "a reading such as accuracy/validation or 'first grad_norm/total'"
    )
    Bound = spelled_as(
        rf"{_BOUND.pattern}|{'|'.join(STATUSES)}",
        "such as 'at_least 0.95', 'at_most 1e-3', 'above 0', 'below 1', 'between 1 and 2'",
        number=True,
    )


class ComparisonConfig(Config, frozen=True):
    """What makes one file several runs that are compared."""

    base: str | None = None
    """Another config; what this file says changes it. A path is relative to this file."""
    variants: dict[VariantName, dict[str, Any]] | None = None
    """Names with their differences, dotted as in --set: relu: {model.activation: relu}."""
    seeds: Annotated[
        Annotated[PositiveInt, Field(le=1000)]
        | Annotated[tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], Field(min_length=1)]
        | None,
        Forms(),
    ] = None
    """Trains each variant with so many seeds, from `seed` on, or with these."""
    expect: dict[Sides, dict[Quantity, Bound]] | None = None
    """What the runs must show; missed: exit code 8. Of several seeds their mean."""

    @field_validator("variants", "expect")
    @classmethod
    def _not_empty(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value == {}:
            raise PydanticCustomError("value", "is empty (name one, or leave the key out)")
        if value is not None and len(value) > MOST_VARIANTS:
            # Each is checked as a whole config; nobody reads a table of more.
            text = "has {count} entries, at most {most} go into one comparison (use several files)"
            facts = {"count": len(value), "most": MOST_VARIANTS}
            raise PydanticCustomError("value", text, facts)
        return value

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, value: object) -> object:
        if isinstance(value, tuple):
            seeds = cast("tuple[int, ...]", value)
            if len(set(seeds)) < len(seeds):
                raise PydanticCustomError("value", "names a seed twice")
        return value

    @property
    def names(self) -> tuple[str, ...]:
        """The variants; the empty name is that of a file without any."""
        return tuple(self.variants) if self.variants else ("",)

    def seeds_from(self, first: int) -> tuple[int, ...]:
        """The seeds of each variant, where `first` is the seed of the file."""
        if isinstance(self.seeds, tuple):
            return self.seeds
        return tuple(range(first, first + (self.seeds or 1)))


class Bounds(NamedTuple):
    """Numbers that an expectation allows, and whether the ends are among them."""

    low: float = -inf
    high: float = inf
    closed: bool = True

    def holds(self, value: float) -> bool:
        """Whether a value lies inside; NaN never does."""
        if self.closed:
            return self.low <= value <= self.high
        return self.low < value < self.high


class Expectation(NamedTuple):
    """One line of `expect`, taken apart."""

    left: str
    """A variant, or `all`."""
    relation: Literal["", "over", "minus"]
    right: str
    moment: Literal["first", "last", "best", "lowest", "highest"]
    tag: str
    """As TensorBoard calls it: accuracy/validation; `status` for how a run ended."""
    bound: str

    @property
    def sides(self) -> str:
        """The variants as they were written."""
        return f"{self.left} {self.relation} {self.right}".strip()

    @property
    def quantity(self) -> str:
        """The reading as it was written."""
        return self.tag if self.moment == "last" else f"{self.moment} {self.tag}"


def parse_interval(bound: str) -> Bounds:
    """The numbers that a bound allows: `at_least 0.95` is [0.95, inf)."""
    found = _BOUND.fullmatch(bound)
    assert found is not None
    word, number, low, high = found.groups()
    if word is None:
        return Bounds(float(low), float(high))
    value, closed = float(number), word.startswith("at_")
    lower = word in ("at_least", "above")
    return Bounds(value, inf, closed) if lower else Bounds(-inf, value, closed)


def read_expectations(config: ComparisonConfig) -> tuple[Expectation, ...]:
    """The lines of `expect`, in their order."""
    found: list[Expectation] = []
    for sides, quantities in (config.expect or {}).items():
        match = _SIDES.fullmatch(sides)
        assert match is not None
        left, relation, right = match.groups()
        for quantity, bound in quantities.items():
            moment = _MOMENT.fullmatch(quantity)
            assert moment is not None
            kind: Any = moment[1] or "last"
            rel: Any = relation or ""
            found.append(Expectation(left, rel, right or "", kind, moment[2], bound))
    return tuple(found)


def read_comparison(tree: Mapping[str, Any]) -> tuple[ComparisonConfig | None, list[Mistake]]:
    """The keys of a file that compare, held against each other, and all that is wrong with them.

    Args:
        tree: the whole file.

    Returns:
        What is left without the mistakes, so that others can be told beside them; None where the
        variants cannot be read at all.
    """
    said = {key: value for key, value in tree.items() if key in COMPARISON_KEYS}
    wrong: list[Mistake] = []
    try:
        comparison = ComparisonConfig.model_validate(said)
    except ValidationError as error:
        from nnlab.config.mistakes import mistakes_of

        wrong = mistakes_of(error, ComparisonConfig)
        left = _without(said, [mistake.path for mistake in wrong])
        if said.get("variants") is not None and "variants" not in left:
            return None, wrong
        comparison = ComparisonConfig.model_validate(left)
    known: list[str] = list(said.get("variants") or ())
    if EVERY in known:
        text = "stands for every variant in expect (choose another name)"
        wrong.append(Mistake(("variants", EVERY), text, at_key=True))
    for line in read_expectations(comparison):
        for side in (line.left, *([line.right] if line.relation else [])):
            if side not in (*(known or [""]), EVERY):
                wrong.append(Mistake(("expect", line.sides), _no_variant(side, known), at_key=True))
        if line.bound not in STATUSES and (found := parse_interval(line.bound)).low > found.high:
            text = f"no number is {line.bound} (write between {found.high:g} and {found.low:g})"
            wrong.append(Mistake(("expect", line.sides, line.quantity), text))
    return comparison, wrong


def _no_variant(side: str, known: Sequence[str]) -> str:
    near = get_close_matches(side, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"there is no variant {side} (there are {', '.join([*known, EVERY])}{hint})"


def _without(tree: Mapping[str, Any], paths: Sequence[Path]) -> dict[str, Any]:
    """A tree without what stands at these places, and without what is empty then."""
    left: dict[str, Any] = {}
    for key, value in tree.items():
        inside = [path[1:] for path in paths if path[:1] == (key,)]
        if () in inside or (inside and not isinstance(value, Mapping)):
            continue
        if inside:
            value = _without(cast("Mapping[str, Any]", value), inside)
            if not value:
                continue
        left[key] = value
    return left
