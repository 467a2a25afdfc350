"""How many bytes training needs, by what for; arithmetic, nothing is built."""

from math import prod

from nnlab.core.contracts import flat_plans
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.freezing import trained_shapes

_BYTES = {"fp64": 8}
"""Of a weight; the half precisions keep their weights in float32."""


_WIDTHS = {"fp64": 8, "fp32": 4}
"""Of an activation; the half precisions need 2."""


def memory_needs(experiment: Experiment) -> dict[str, int]:
    """Bytes that training needs, by what for; the working memory of the kernels comes on top."""
    config, design, shape = experiment.config, experiment.design, experiment.shape
    train = config.train
    weights = design.parameters * _BYTES.get(train.precision, 4)
    leaves = [plan for plan in flat_plans(design.plans) if not plan.children]
    numbers = prod(shape.inputs) + sum(prod(plan.output) for plan in leaves)
    # Images are kept as they are stored, a byte a value.
    stored = 1 if config.data.form(experiment.place) == "images" else 4
    part = -(-experiment.batch_size // train.accumulate)
    rows = max(shape.sizes.values()) if _shared(experiment) else sum(shape.sizes.values())
    return {
        "weights": weights,
        "gradients": weights if config.rule.optimized else 0,
        "optimizer": _state(experiment) if config.rule.optimized else 0,
        **({} if train.averaging == "none" else {"average": weights}),
        "activations": numbers * part * _WIDTHS.get(train.precision, 2),
        "data": rows * prod(shape.inputs) * stored,
    }


def _state(experiment: Experiment) -> int:
    """Bytes that the optimizer keeps."""
    config, design = experiment.config, experiment.design
    shapes = trained_shapes(config, design, experiment.frozen)
    width = _BYTES.get(experiment.config.train.precision, 4)
    return config.optimizer.state_size(shapes) * width


def _shared(experiment: Experiment) -> bool:
    return "same" in (str(experiment.config.data.validation), str(experiment.config.data.test))
