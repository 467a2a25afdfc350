"""The sections of a config that are no choice of kinds: seed, regularize, train, log, start."""

from typing import TYPE_CHECKING, Annotated, Literal, cast

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from nnlab.config.variants import spelled_as
from nnlab.core.durations import Duration
from nnlab.core.kinds import Config, Forms
from nnlab.parts.averages import RunningAverage

Seed = Annotated[int, Field(ge=0, lt=2**32)]
PictureCount = Annotated[int, Field(ge=1, le=1000)]
LENGTHS = ("epochs", "steps", "minutes")

if TYPE_CHECKING:
    Monitored = str
else:
    Monitored = spelled_as(
        r"(auto|none|[a-z0-9_.-]+/(train|validation))",
        "auto, none, or such as loss/validation or accuracy/train",
    )


class SeedConfig(Config, frozen=True):
    """A seed for each purpose; null is `all`."""

    all: Seed = 0
    init: Seed | None = None
    order: Seed | None = None
    augment: Seed | None = None
    dropout: Seed | None = None

    def of(self, purpose: Literal["init", "order", "augment", "dropout"]) -> int:
        """The seed, 0 or more, of one purpose: its own where it has one, else `all`."""
        own = getattr(self, purpose)
        return self.all if own is None else own


class RegularizeConfig(Config, frozen=True):
    """Terms of the objective: l2 / 2 * sum of w^2, l1 * sum of |w|; and a bound on the weights.

    nnlab menu regularization says where the other means against overfitting are.
    """

    l2: NonNegativeFloat = 0.0
    l1: NonNegativeFloat = 0.0
    per: Literal["example", "dataset"] = "example"
    """dataset: both are divided by the number of training examples."""
    on: Literal["weights", "all"] = "weights"
    """weights: parameters with two axes or more; all: biases and norms too."""
    max_norm: PositiveFloat | None = None
    """After each update the weights that come into a unit are scaled to an L2 norm of at most this.

    Srebro & Shraibman 2005, "Rank, trace-norm and max-norm"; Hinton et al. 2012, arXiv:1207.0580.
    """


class EarlyStoppingConfig(Config, frozen=True):
    """Stop when the monitored value has not become better for this long."""

    patience: Duration = Duration(5)
    min_delta: NonNegativeFloat = 0.0


class TrainConfig(Config, frozen=True):
    """How long, in which steps, and how the numbers are computed."""

    epochs: Annotated[Annotated[int, Field(ge=1, le=10**7)] | Literal["auto"] | None, Forms()] = (
        None
    )
    """auto, which is what a run has without a length: 10, or as many as 1,000 updates take where
    that is more, 200 at most."""
    steps: Annotated[int, Field(ge=1, le=10**10)] | None = None
    minutes: Annotated[float, Field(gt=0, le=10**6)] | None = None
    batch_size: Annotated[PositiveInt | Literal["full"], Forms()] = 64
    drop_last: bool = False
    sampling: Literal["shuffled", "balanced", "in_order"] = "shuffled"
    """balanced: rows are drawn with replacement, of each class equally many; in_order: as they are
    in the training split, the same in every epoch."""
    accumulate: Annotated[int, Field(ge=1, le=10_000)] = 1
    """The gradient of a batch is computed in so many parts, one after the other: a large batch in
    the memory of a small one. The same gradient up to rounding; batch norm sees the parts."""
    carry: bool = False
    """Truncated backpropagation through time: the windows of a text follow each other in
    `batch_size` lanes, recurrent layers go on with the state that the window before left, and the
    gradient stops at the window. An evaluation goes on in lanes too, each from a state of 0 at its
    first window, and `nnlab generate` from the text's beginning to its end."""
    clip_norm: PositiveFloat | None = None
    unfreeze: dict[str, Duration] = Field(default_factory=dict[str, Duration])
    """Layers or patterns of model.freeze -> when their training begins: {conv4*: 5}. Gradual
    unfreezing, from the last layer on: Howard & Ruder 2018, arXiv:1801.06146, section 3.3."""
    monitor: Monitored = "auto"
    early_stopping: Annotated[Duration | EarlyStoppingConfig | None, Forms()] = None
    """A duration alone is the patience: `5` is `{patience: 5}`."""
    averaging: Annotated[Literal["none"] | RunningAverage, Forms()] = "none"
    """What is evaluated and kept: the weights themselves, or an average over those of training."""
    precision: Literal["fp32", "bf16", "fp16", "fp64"] = "fp32"
    compile: Literal["auto", "on", "off"] = "auto"
    threads: Annotated[Annotated[int, Field(ge=1, le=1024)] | Literal["auto"], Forms()] = "auto"
    layout: Literal["auto", "contiguous", "channels_last"] = "auto"

    @property
    def stopping(self) -> EarlyStoppingConfig | None:
        """Early stopping with all its fields, whichever way it is written."""
        written = self.early_stopping
        return EarlyStoppingConfig(patience=written) if isinstance(written, Duration) else written

    @model_validator(mode="before")
    @classmethod
    def _auto_epochs(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        section = cast("dict[str, object]", value)
        # Here, not as the default of `epochs`, which would then stand beside written steps.
        given = any(section.get(name) is not None for name in LENGTHS)
        return section if given else {**section, "epochs": "auto"}

    @field_validator("steps", "minutes")
    @classmethod
    def _one_length(cls, value: object, info: ValidationInfo) -> object:
        others = [name for name in LENGTHS if info.data.get(name) is not None]
        if value is not None and others:
            text = "{other} is given too (a run has exactly one of epochs, steps and minutes)"
            raise PydanticCustomError("value", text, {"other": others[0]})
        return value


class LogConfig(Config, frozen=True):
    """How often training is read."""

    every: Annotated[Literal["auto", "log"] | Duration, Forms()] = "auto"
    """auto: about 200 readings a run; log: eight for each doubling of the steps, all probed."""
    probes: Annotated[Literal["auto", "off"] | Duration, Forms()] = "auto"
    """How often a reading probes the layers; auto: 10 to 40 times a run, each 1000 steps."""
    pictures: Annotated[PictureCount | Literal["auto", "off"], Forms()] = "off"
    """How many times a run its pictures are taken, from the first step to the last; auto: 10, fewer
    in short runs. They take seconds to draw; nnlab pictures RUN draws them of any run."""
    histograms: Annotated[Literal["auto", "off", "pictures"] | Duration, Forms()] = "auto"
    """How often weights, gradients and activations are counted; pictures, auto: with those."""
    examples: Annotated[PictureCount | Literal["auto", "off"], Forms()] = "off"
    """How many times a run the loss of each training example is kept, for wrong labels; auto: 10.
    Each time costs a pass over the training split. Pleiss et al. 2020, arXiv:2001.10528."""
    checkpoints: Annotated[Literal["off", "log"] | Duration, Forms()] = "off"
    """How often one stays, beside init, best and last; log: after 1, 2, 4, 8, ... steps."""
    noise_scale: Annotated[Literal["off"] | Duration, Forms()] = "off"
    """How often the gradient noise scale is measured, on 16 batches. McCandlish et al. 2018."""
    sharpness: Annotated[Literal["off"] | Duration, Forms()] = "off"
    """How often the largest Hessian eigenvalue is, on 1,000 examples. Cohen et al. 2021."""


class WeightEdit(Config, frozen=True):
    """One number of a parameter that is written before the first update."""

    parameter: str
    """As nnlab show calls it: hidden1.weight."""
    at: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Its place, counted from 0: [unit, input] of a weight, [unit] of a bias."""
    value: float


class StartConfig(Config, frozen=True):
    """A checkpoint of another run, from which this one goes on.

    It begins with the weights, the number of updates, the order of rows and the noise of that
    moment, and with the optimizer's memory where the optimizer is the same kind. That run stays
    as it is.
    """

    run: str
    """A run as the commands take it: mnist-mlp/3, last, or its folder."""
    step: Annotated[Annotated[int, Field(ge=0)] | Literal["last", "best", "init"], Forms()] = "last"
    """After how many updates; log.checkpoints says which are kept besides these."""
    edits: tuple[WeightEdit, ...] = ()
