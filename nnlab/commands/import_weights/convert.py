"""From a pickle of tensors to a safetensors file."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, cast

import torch
from safetensors.torch import save
from torch import Tensor

from nnlab.core import files
from nnlab.core.errors import ConfigError, DataError
from nnlab.parts.datasets.scaling import IMAGENET_DEVIATION, IMAGENET_MEAN

_WRAPPED = ("state_dict", "model_state_dict", "model", "net")
"""Where training scripts put a state_dict beside epochs and optimizers."""
_SCALES = {"imagenet": (IMAGENET_MEAN, IMAGENET_DEVIATION), "unit": ((0.0,) * 3, (1.0,) * 3)}


@dataclass(frozen=True, slots=True)
class Imported:
    """What was written.

    Attributes:
        path: the new file.
        tensors: how many it holds.
        numbers: how many numbers in them.
        sha256: of the new file.
        turned: the convolution whose input channels were turned from bgr to rgb; empty for none.
    """

    path: Path
    tensors: int
    numbers: int
    sha256: str
    turned: str

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "path": str(self.path)}


def convert_weights(
    file: Path,
    out: Path | None,
    *,
    expects: Literal["imagenet", "unit", "unknown"] = "imagenet",
    order: Literal["rgb", "bgr"] = "rgb",
) -> Imported:
    """Reads a file of torch.save by `weights_only`, and writes its tensors as safetensors.

    Args:
        file: a state_dict, or a mapping that holds one.
        out: where to; None for the same name with .safetensors.
        expects: the scale of the pixels that the weights were trained on; kept in the file.
        order: of the colours; with bgr the first convolution's channels are turned round.

    Raises:
        ConfigError: there is no such file, or `out` is there already.
        DataError: it holds something else than tensors.
    """
    path = out or file.with_suffix(".safetensors")
    if path.exists():
        raise ConfigError(f"--out {path}: is there already (another name, or remove it)")
    tensors = _tensors_of(file)
    turned = _turn_round(tensors) if order == "bgr" else ""
    metadata = {"format": "pt", "source": file.name}
    if expects in _SCALES:
        mean, std = _SCALES[expects]
        metadata |= {"mean": json.dumps(mean), "std": json.dumps(std)}
    data = save(tensors, metadata=metadata)
    files.write_file(path, data)
    count = sum(tensor.numel() for tensor in tensors.values())
    return Imported(path, len(tensors), count, sha256(data).hexdigest(), turned)


def _tensors_of(file: Path) -> dict[str, Tensor]:
    """The tensors by name, each with memory of its own."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats, whatever they are worth
            found: Any = torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such file") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read, {error.strerror or error}") from None
    except Exception as error:  # of a damaged pickle whatever its reader falls over
        why = str(error).partition("\n")[0].partition(". ")[0][:120]
        way = "in the program that made it: torch.save(network.state_dict(), FILE)"
        text = f"holds something else than tensors, and that is not run: {why}"
        raise DataError(f"{file}: {text} ({way})") from None
    state = _state_in(found)
    if state is None:
        raise DataError(f"{file}: holds no state_dict, names with tensors (torch.save of one)")
    plain = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    return {name: tensor.detach().clone().contiguous() for name, tensor in plain.items()}


def _state_in(found: Any) -> dict[str, Tensor] | None:
    if not isinstance(found, Mapping):
        return None
    tree = cast("Mapping[str, Any]", found)
    if tree and all(isinstance(value, Tensor) for value in tree.values()):
        return {str(name): value for name, value in tree.items()}
    inside = (_state_in(tree[name]) for name in _WRAPPED if name in tree)
    return next((state for state in inside if state is not None), None)


def _turn_round(tensors: dict[str, Tensor]) -> str:
    """Puts the input channels of the first convolution into the order red, green, blue.

    Raises:
        DataError: no convolution sees three channels.
    """
    for name, tensor in tensors.items():
        if tensor.ndim == 4 and tensor.shape[1] == 3:
            tensors[name] = tensor.flip(1).contiguous()
            return name
    raise DataError("--order bgr: no convolution sees three channels (leave it out)")


def told(done: Imported) -> str:
    """What was written, in sentences."""
    turned = f"; {done.turned} sees red, green, blue now" if done.turned else ""
    return (
        f"{done.tensors} tensors, {done.numbers:,} numbers, SHA-256 {done.sha256[:16]}...{turned}\n"
        f"to begin from them: model: {{kind: ..., from: {done.path}}}"
    )
