"""What torchvision and timm call the tensors of the published networks.

tests/runs/weights holds torchvision's names against its own networks. timm takes over those of
convolutions and of the resnets; what it calls otherwise is written as in its release 1.0.
"""

from collections.abc import Iterator, Mapping

from nnlab.core.contracts import Plan
from nnlab.models.family import Design, ModelConfig

_BLOCKS = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3), "resnet50": (3, 4, 6, 3)}
"""Blocks in each of torchvision's layer1 to layer4."""
_CLASSIFIER = {"alexnet": (1, 4, 6), "vgg11": (0, 3, 6), "vgg16": (0, 3, 6)}
"""Places of the dense layers among dropout and activations."""


_TIMM_DENSE = ("pre_logits.fc1", "pre_logits.fc2", "head.fc")
"""timm has the dense layers of a VGG as convolutions: of the last map, and of one place."""
_VIT = ("vit_b16", "vit_tiny")


def foreign_names(model: ModelConfig, design: Design) -> list[dict[str, str]]:
    """Module or tensor of ours -> its name, of torchvision and of timm; none of other networks."""
    if model.kind in _BLOCKS:
        return [dict(_of_resnet(_BLOCKS[model.kind], design))]
    if model.kind in _CLASSIFIER:
        dense = tuple(f"classifier.{number}" for number in _CLASSIFIER[model.kind])
        return [dict(_of_features(design, each)) for each in (dense, _TIMM_DENSE)]
    if model.kind in _VIT:
        blocks = sum(plan.kind == "residual" for plan in design.plans) // 2
        return [dict(_of_vit(blocks)), dict(_of_timm_vit(blocks))]
    return []


def _of_vit(blocks: int) -> Iterator[tuple[str, str]]:
    """torchvision's: attention is torch's own module."""
    yield from (("class_token.weight", "class_token"), ("patches", "conv_proj"))
    yield from (("positions.weight", "encoder.pos_embedding"), ("norm1", "encoder.ln"))
    yield "output", "heads.head"
    for number in range(blocks):
        there = f"encoder.layers.encoder_layer_{number}"
        first, second = f"block{2 * number + 1}", f"block{2 * number + 2}"
        yield f"{first}.norm1", f"{there}.ln_1"
        yield f"{first}.attention1", f"{there}.self_attention"
        yield f"{first}.attention1.out_proj", f"{there}.self_attention.out_proj"
        yield f"{second}.norm1", f"{there}.ln_2"
        yield f"{second}.hidden1", f"{there}.mlp.0"
        yield f"{second}.hidden2", f"{there}.mlp.3"


def _of_timm_vit(blocks: int) -> Iterator[tuple[str, str]]:
    yield from (("class_token.weight", "cls_token"), ("patches", "patch_embed.proj"))
    yield from (("positions.weight", "pos_embed"), ("norm1", "norm"), ("output", "head"))
    for number in range(blocks):
        there = f"blocks.{number}"
        first, second = f"block{2 * number + 1}", f"block{2 * number + 2}"
        yield f"{first}.norm1", f"{there}.norm1"
        for kind in ("weight", "bias"):
            yield f"{first}.attention1.in_proj_{kind}", f"{there}.attn.qkv.{kind}"
        yield f"{first}.attention1.out_proj", f"{there}.attn.proj"
        yield f"{second}.norm1", f"{there}.norm2"
        yield f"{second}.hidden1", f"{there}.mlp.fc1"
        yield f"{second}.hidden2", f"{there}.mlp.fc2"


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


def _of_features(design: Design, classifier: tuple[str, ...]) -> Iterator[tuple[str, str]]:
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
        elif plan.kind == "linear" and (name := next(dense, None)) is not None:
            yield plan.name, name


def _has_norm(plan: Plan) -> bool:
    names: Mapping[str, object] = plan.parameters
    return any(name.startswith(f"{plan.name}_norm.") for name in names)
