"""What torchvision calls the tensors of the published networks; timm takes over most of it.

tests/runs/weights holds these names against torchvision's own networks.
"""

from collections.abc import Iterator, Mapping

from nnlab.core.contracts import Plan
from nnlab.models.family import Design, ModelConfig

_BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3), "resnet50": (3, 4, 6, 3)}
"""Blocks in each of torchvision's layer1 to layer4."""
_CLASSIFIER = {"alexnet": (1, 4, 6), "vgg11": (0, 3, 6), "vgg16": (0, 3, 6)}
"""Places of the dense layers among dropout and activations."""


def torchvision_names(model: ModelConfig, design: Design) -> dict[str, str]:
    """Module of ours -> torchvision's name of it; {} for a network that torchvision has not."""
    if model.kind in _BLOCKS:
        return dict(_of_resnet(_BLOCKS[model.kind], design))
    if model.kind in _CLASSIFIER:
        return dict(_of_features(design, _CLASSIFIER[model.kind]))
    return {}


def _of_resnet(counts: tuple[int, ...], design: Design) -> Iterator[tuple[str, str]]:
    yield from (("conv1", "conv1"), ("conv1_norm", "bn1"), ("output", "fc"))
    places = [(stage, at) for stage, count in enumerate(counts, 1) for at in range(count)]
    blocks = [plan for plan in design.plans if plan.kind == "residual"]
    for plan, (stage, at) in zip(blocks, places, strict=True):
        for number in (1, 2, 3):
            yield f"{plan.name}.conv{number}", f"layer{stage}.{at}.conv{number}"
            yield f"{plan.name}.conv{number}_norm", f"layer{stage}.{at}.bn{number}"
        yield f"{plan.name}.skip", f"layer{stage}.{at}.downsample.0"
        yield f"{plan.name}.skip_norm", f"layer{stage}.{at}.downsample.1"


def _of_features(design: Design, classifier: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    """A list of convolutions, each with its norm and activation, and pools; then dense layers."""
    place, dense = 0, iter(classifier)
    for plan in design.plans:
        if plan.kind == "conv":
            yield plan.name, f"features.{place}"
            place += 1
            if _has_norm(plan):
                yield f"{plan.name}_norm", f"features.{place}"
                place += 1
            place += 1
        elif plan.kind == "max_pool":
            place += 1
        elif plan.kind == "linear" and (number := next(dense, None)) is not None:
            yield plan.name, f"classifier.{number}"


def _has_norm(plan: Plan) -> bool:
    names: Mapping[str, object] = plan.parameters
    return any(name.startswith(f"{plan.name}_norm.") for name in names)
