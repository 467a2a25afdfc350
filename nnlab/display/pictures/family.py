"""What every picture says of itself: whom it fits, what it collects, how it is drawn."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

from nnlab.core.contracts import Examples, Plan
from nnlab.core.events import Reading
from nnlab.core.lazy import NDArray, Tensor, nn, np, torch

if TYPE_CHECKING:
    from nnlab.experiment.experiment import Experiment
    from nnlab.training.evaluate import Forward
    from nnlab.training.probes.sight import Sight
    from nnlab.training.sources import RowSource

Arrays = Mapping[str, "NDArray[Any]"]
"""What a drawing is made of: small, of numbers and words, so that it can go to another process."""

MOST_POINTS = 400
"""So many examples are drawn as points."""


class Moment(NamedTuple):
    """When a picture was taken."""

    step: int
    """Updates made so far."""
    epoch: float


class Parts(NamedTuple):
    """Where the answers to N examples come from."""

    columns: "Tensor"
    """(N,) which output is the answer."""
    values: "Tensor"
    """What of it comes from each input: (N, F) of a table, (N, H, W) of images, (N, T) of steps."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What pictures look at; the same for the whole run.

    Attributes:
        experiment: settled.
        examples: the data, as stored.
        forward: asks the network that is trained, on its device.
        sight: observes what passes between its layers.
        source: gives the batch of rows, scaled.
        probe: (N,) rows on the device, the same for the whole run.
        norms: keys of the weights' gradient norms in readings, from input to output.
        last_loss: () the mean loss of the last answers of a few examples, of networks with
            recurrent layers.
        parts: of scaled inputs (N, *shape), which output each answer is, and how much of it comes
            from which part of the input; None where outputs have no gradient.
    """

    experiment: "Experiment"
    examples: Examples
    forward: "Forward"
    sight: "Sight"
    source: "RowSource"
    probe: "Tensor"
    norms: tuple[str, ...]
    last_loss: "Callable[[], Tensor] | None" = None
    parts: "Callable[[Tensor], Parts] | None" = None

    @property
    def network(self) -> "nn.Module":
        """What is trained."""
        return self.forward.network

    def outputs(self, inputs: "Tensor") -> "Tensor":
        """(N, K): what the network says of scaled inputs (N, *shape), as an evaluation asks it."""
        with torch.no_grad():
            return self.forward(inputs)

    def scaled(self, stored: "NDArray[Any]") -> "Tensor":
        """(N, *shape) as stored to what the network sees, on its device and in its precision."""
        like = next(self.network.parameters())
        seen = (stored - self.examples.shift.astype(np.float64)) * self.examples.factor
        return torch.from_numpy(seen).to(like.device, like.dtype)


class Drawing(ABC):
    """What can be drawn from arrays alone, by another process.

    Attributes:
        group: TensorBoard's heading.
        title: what it is called.
        about: what one sees in it, in Markdown.
    """

    group: ClassVar[str]
    title: ClassVar[str]
    about: ClassVar[str]

    @staticmethod
    @abstractmethod
    def draw(figure: Any, arrays: "Arrays") -> None:
        """Draws into an empty matplotlib figure. Neither torch nor the network is there."""


class Picture(Drawing):
    """One picture of a run, taken at several moments.

    Collecting happens between two updates: it draws no random numbers, changes no buffer, and is
    over in a millisecond.

    Attributes:
        cumulative: whether it shows the whole past, so that the last one says all.
    """

    group: ClassVar[str] = "pictures"
    cumulative: ClassVar[bool] = False

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    @classmethod
    @abstractmethod
    def fits(cls, experiment: "Experiment") -> bool:
        """Whether there is something to see in such a run."""

    def still(self) -> "Arrays":
        """What does not change while the network trains: points, classes. Default: nothing."""
        return {}

    @abstractmethod
    def collect(self, *, grid: int | None = None) -> "Arrays | None":
        """The network as it is now; None where there is nothing to show yet.

        Args:
            grid: points along each axis, where the picture asks the network at points of its own;
                None takes as many as a small picture needs.
        """

    @final
    def arrays(self) -> "Arrays | None":
        """All that `draw` takes: what stays and what is now; None where nothing can be shown."""
        found = self.collect()
        return None if found is None else {**self.still(), **found}

    def see(self, reading: Reading) -> None:
        """Takes note of a reading. Default: it needs none."""


def copy_to_host(tensor: "Tensor") -> "NDArray[np.float64]":
    """A copy on the host: it stays what it is when training goes on in place."""
    return tensor.detach().to("cpu", torch.float64, copy=True).numpy()


def layers_with_weights(plans: "tuple[Plan, ...]") -> list[Plan]:
    """The layers that have weights, from input to output."""
    return [plan for plan in plans if plan.parameters]


def evenly_spaced(rows: "NDArray[np.int64]", most: int = MOST_POINTS) -> "NDArray[np.int64]":
    """At most so many rows, at equal distances."""
    count = min(most, len(rows))
    return rows[np.arange(count) * len(rows) // max(count, 1)]


def thin_rows(rows: "Tensor", most: int) -> "Tensor":
    """At most so many rows of a tensor, at equal distances; they stay on its device."""
    count = min(most, len(rows))
    return rows[torch.arange(count, device=rows.device) * len(rows) // max(count, 1)]


def class_probabilities(experiment: "Experiment") -> "Callable[[Tensor], Tensor] | None":
    """(N, K) outputs to class probabilities; None where they are no such thing."""
    activation = experiment.config.model.output.activation
    if experiment.config.rule.own_loss is not None or isinstance(activation, str):
        return None
    return experiment.loss.probabilities_behind(activation.kind)


def text_array(names: "tuple[str, ...] | list[str]") -> "NDArray[np.str_]":
    """Words as an array that needs no pickle."""
    return np.array(names, dtype=np.str_)
