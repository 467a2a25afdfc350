"""Where first weights lie: a safetensors file, a run's best checkpoint, a name of timm's.

Nothing is downloaded. A name is looked for among files that are here: NAME.safetensors in the data
folder, and the cache of the Hugging Face Hub. A pickle (.pth) is never read; `nnlab import-weights`
converts one.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from nnlab.core.errors import CheckpointError, ConfigError, NnlabError
from nnlab.core.files import parse_json, read_regular
from nnlab.core.reach import within_reach
from nnlab.models.family import BeginConfig
from nnlab.parts.datasets.tables import Place, near_miss
from nnlab.runs.folder.checkpoint_bytes import MODEL_FILE, verified_contents
from nnlab.runs.folder.data_json import read_data
from nnlab.runs.folder.find import find_run, is_comparison
from nnlab.runs.folder.pointers import pointed_to
from nnlab.runs.weights.input_scale import ExpectedScale, scale_of_metadata, scale_of_run
from nnlab.runs.weights.safetensors_header import Head, read_head

_LIMIT = 1 << 20
_PREFIX = "model/"
"""Before the names of a checkpoint's tensors."""


class WeightsFile(NamedTuple):
    """A file of weights.

    Attributes:
        path: of the safetensors file.
        title: as messages call it.
        head: what it holds; names without the prefix of a checkpoint.
        expects: how inputs are to be scaled; None where nothing says so.
        prefix: what stands before every name in the file.
    """

    path: Path
    title: str
    head: Head
    expects: ExpectedScale | None
    prefix: str = ""

    def digest(self) -> str:
        """SHA-256 of the file, 64 hexadecimal digits; the whole file is read."""
        found = sha256()
        with self.path.open("rb") as file:
            while block := file.read(1 << 22):
                found.update(block)
        return found.hexdigest()


def find_weights(begin: BeginConfig, place: Place) -> WeightsFile:
    """The file of weights that `model.from` means.

    Args:
        begin: `model.from`.
        place: where relative paths begin, and where named files may lie.

    Raises:
        ConfigError: there is none, with what would make one.
        CheckpointError: a run's checkpoint is damaged.
    """
    if begin.run is not None:
        return _of_run(begin.run, place)
    if begin.weights is not None:
        return _of_file(begin.weights, place)
    assert begin.name is not None
    return _of_name(begin.name, place)


def _of_run(text: str, place: Place) -> WeightsFile:
    from nnlab.runs.folder.folder import begun_config

    there = place.folder / text
    is_there = within_reach(there) and (there / "summary.json").is_file()
    run = there if is_there else find_run(text)
    if is_comparison(run):
        raise ConfigError(f"{text}: is a comparison, one of its runs is meant (nnlab runs)")
    target = pointed_to(run / "checkpoints", "best")
    if target is None:
        raise CheckpointError(f"{text}: has saved no checkpoint")
    folder = run / "checkpoints" / target
    verified_contents(folder)
    head = read_head(folder / MODEL_FILE)
    expects: ExpectedScale | None = None
    with suppress(NnlabError):
        known, config = read_data(run), begun_config(run)
        name = "" if config is None else config.data.scale
        expects = scale_of_run(known["shift"], known["factor"], name)
    shapes = {name.removeprefix(_PREFIX): shape for name, shape in head.shapes.items()}
    numbers = {name.removeprefix(_PREFIX): kind for name, kind in head.numbers.items()}
    prefix = _PREFIX if any(name.startswith(_PREFIX) for name in head.shapes) else ""
    title = f"{run.parent.name}/{run.name}, {target}"
    return WeightsFile(
        folder / MODEL_FILE, title, Head(shapes, numbers, head.metadata), expects, prefix
    )


def _of_file(text: str, place: Place) -> WeightsFile:
    path = place.find(text)
    if not path.is_file():
        raise ConfigError(f"{text}: there is no such file{near_miss(path)}")
    if path.suffix in (".pth", ".pt", ".bin", ".ckpt"):
        way = f"nnlab import-weights {text}"
        raise ConfigError(f"{text}: is a pickle, which can hold code and is not read ({way})")
    head = read_head(path)
    return WeightsFile(path, text, head, scale_of_metadata(head.metadata))


def _of_name(name: str, place: Place) -> WeightsFile:
    """A file that is here under a name; a name never leads to another host."""
    for path in _candidates(name, place):
        if path.is_file():
            head = read_head(path)
            metadata = {**_timm_scale(path.parent / "config.json"), **head.metadata}
            return WeightsFile(path, name, head, scale_of_metadata(metadata))
    text = f"{name}: is not on this machine, and nnlab downloads no weights"
    raise ConfigError(f"{text} ({_way(name, place)})")


def _candidates(name: str, place: Place) -> list[Path]:
    plain = name.rpartition("/")[2]
    found = [place.root / "weights" / f"{plain}.safetensors", place.root / f"{plain}.safetensors"]
    if "/" in name and ".." not in name:
        snapshots = _hub() / f"models--{name.replace('/', '--')}" / "snapshots"
        if snapshots.is_dir():
            found += sorted(snapshots.glob("*/model.safetensors"), reverse=True)
    return found


def _hub() -> Path:
    """Where the Hugging Face Hub's client keeps files; its own variables."""
    if hub := os.environ.get("HF_HUB_CACHE"):
        return Path(hub)
    home = os.environ.get("HF_HOME")
    return (Path(home) if home else Path.home() / ".cache" / "huggingface") / "hub"


def _way(name: str, place: Place) -> str:
    owner, _, plain = name.rpartition("/")
    home = Path(os.environ.get("TORCH_HOME") or Path.home() / ".cache" / "torch")
    stems = sorted((home / "hub" / "checkpoints").glob(f"{plain}-*.pth"))
    there = place.root / f"{plain}.safetensors"
    if stems:
        return f"nnlab import-weights {stems[-1]} --out {there}"
    if owner == "timm":
        return f"with a network: hf download {name}"
    fetch = f"torchvision.models.{plain}(weights='DEFAULT') where there is a network"
    return f"{fetch}, then nnlab import-weights FILE.pth --out {there}"


def _timm_scale(config: Path) -> Mapping[str, str]:
    """Mean and deviation as timm writes them beside its weights."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        found: Any = parse_json(read_regular(config, limit=_LIMIT, follow=True))["pretrained_cfg"]
        return {"mean": json.dumps(found["mean"]), "std": json.dumps(found["std"])}
    return {}
