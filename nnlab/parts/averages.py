"""Weight averaging: the network that is evaluated and kept is a mean over the path of training.

To add one: write a class here and name it in `RunningAverage` at the foot of the file. In the
formulas a is the average, w the weights after an update.
"""

from abc import abstractmethod
from typing import Annotated, Literal, final

from pydantic import Field

from nnlab.core.contracts import AverageFn
from nnlab.core.durations import Duration
from nnlab.core.kinds import Kind, Menu


class AverageConfig(Kind, frozen=True):
    """The family of averages.

    Training goes on with its own weights; validation, `best`, `eval` and `load` take the average.
    Running statistics of batch normalization are averaged like weights (`use_buffers` in
    torch.optim.swa_utils), not measured anew.
    """

    @abstractmethod
    def build(self, *, per_epoch: int, total: int | None) -> AverageFn:
        """The share of w in the average, as a pure function of the number of updates.

        Args:
            per_epoch: updates in an epoch.
            total: updates in the whole run; None for a run in minutes.
        """


@final
class EmaConfig(AverageConfig, frozen=True):
    """a <- decay * a + (1 - decay) * w after every update: an exponential moving average.

    It looks back over about 1 / (1 - decay) updates, which should be a small part of the run. The
    first a is the first w. Polyak & Juditsky 1992, doi:10.1137/0330046; in this form Tarvainen &
    Valpola 2017, arXiv:1703.01780, equation 1.
    """

    kind: Literal["ema"] = "ema"
    decay: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.999

    def build(self, *, per_epoch: int, total: int | None) -> AverageFn:
        newest = 1.0 - self.decay
        return lambda count: newest if count > 1 else 1.0


@final
class SwaConfig(AverageConfig, frozen=True):
    """a <- a + (w - a) / (n + 1) for the n-th w taken: stochastic weight averaging.

    From `start` on, w is taken once `every` so often; before, the average is w itself. Izmailov et
    al. 2018, arXiv:1803.05407, algorithm 1.
    """

    kind: Literal["swa"] = "swa"
    start: Duration = Duration(75, "%")
    every: Duration = Duration(1)

    def build(self, *, per_epoch: int, total: int | None) -> AverageFn:
        start = self.start.steps(per_epoch=per_epoch, total=total)
        every = max(1, self.every.steps(per_epoch=per_epoch, total=total))

        def newest(count: int) -> float:
            if count <= start:
                return 1.0
            taken, rest = divmod(count - start, every)
            return 0.0 if rest else 1.0 / (taken + 1)

        return newest


RunningAverage = Annotated[EmaConfig | SwaConfig, Menu()]
