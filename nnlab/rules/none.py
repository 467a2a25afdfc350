"""`none`: the network is run as it is."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, final

from nnlab.parts.optimizers.family import OptimizerConfig
from nnlab.rules.family import RuleConfig, without_gradient

if TYPE_CHECKING:
    from nnlab.training.step import Parts, Step


@final
class NoneConfig(RuleConfig, frozen=True):
    """Nothing learns: the network is measured as it begins, in one pass over the data.

    For units that are set by hand. McCulloch & Pitts 1943, doi:10.1007/BF02478259.
    """

    kind: Literal["none"] = "none"
    replaces: ClassVar[Mapping[str, str]] = without_gradient("a network that does not learn")
    learns: ClassVar[bool] = False
    remedy: ClassVar[str] = "another initialization"

    def base_lr(self, optimizer: OptimizerConfig) -> float:
        return 0.0

    def build(self, parts: "Parts") -> "Step":
        from nnlab.rules.fixed_step import FixedStep

        return FixedStep(parts)


KINDS = (NoneConfig,)
