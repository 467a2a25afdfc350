"""Images, histograms and precision-recall curves as TensorBoard's plugins store them.

Imported late, like tensorboard_events. The forms are those of the plugins' metadata.py: images are
string tensors (width, height, PNG), histograms (k, 3), curves (6, thresholds).
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from nnlab.core.lazy import NDArray, np
from nnlab.display.tensorboard.events import Message, plugin, values


def _messages(name: str) -> Any:
    return import_module(f"tensorboard.{name}_pb2")


_shapes, _tensors, _types = (
    _messages(f"compat.proto.{name}") for name in ("tensor_shape", "tensor", "types")
)
_images = _messages("plugins.image.plugin_data")
_histograms = _messages("plugins.histogram.plugin_data")
_curves = _messages("plugins.pr_curve.plugin_data")


def image(
    tag: str, png: bytes, pixels: tuple[int, int], *, step: int = 0, about: str = ""
) -> Message:
    """A PNG on the images page.

    Args:
        tag: "pictures/decision boundary".
        png: the file's bytes.
        pixels: width and height.
        step: of the run.
        about: Markdown.
    """
    parts = [*(str(size).encode() for size in pixels), png]
    tensor = _tensors.TensorProto(
        dtype=_types.DT_STRING, string_val=parts, tensor_shape=_shape(len(parts))
    )
    content = _images.ImagePluginData().SerializeToString()
    return plugin(tag, "images", tensor=tensor, content=content, step=step, about=about, blobs=True)


def histograms(
    found: "Mapping[str, NDArray[np.float64]]", *, step: int, about: Mapping[str, str]
) -> Message:
    """Histograms of one step in one event.

    Args:
        found: tag -> (k, 3): left edge, right edge, count of each bucket.
        step: of the run.
        about: tag -> Markdown, of those that come for the first time.
    """
    content = _histograms.HistogramPluginData().SerializeToString()
    entries: list[Message] = []
    for tag, buckets in found.items():
        event = plugin(
            tag, "histograms", tensor=_doubles(buckets), content=content, about=about.get(tag, "")
        )
        entries += event.summary.value
    return values(entries, step=step)


def pr_curve(tag: str, curve: "NDArray[np.float64]", *, step: int, about: str = "") -> Message:
    """A precision-recall curve.

    Args:
        tag: "validation/seven".
        curve: (6, thresholds): true positives, false positives, true negatives, false negatives,
            precision, recall, at thresholds from 0 to 1.
        step: of the run.
        about: Markdown.
    """
    content = _curves.PrCurvePluginData(num_thresholds=curve.shape[1]).SerializeToString()
    return plugin(tag, "pr_curves", tensor=_doubles(curve), content=content, step=step, about=about)


def _doubles(array: "NDArray[np.float64]") -> Message:
    return _tensors.TensorProto(
        dtype=_types.DT_DOUBLE,
        double_val=array.ravel().tolist(),
        tensor_shape=_shape(*array.shape),
    )


def _shape(*sizes: int) -> Message:
    dims: Sequence[Message] = [_shapes.TensorShapeProto.Dim(size=size) for size in sizes]
    return _shapes.TensorShapeProto(dim=dims)
