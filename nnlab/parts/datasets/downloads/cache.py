"""A data set kept as two plain arrays, so that the next run imports no torchvision."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from nnlab.core.files import open_regular, parse_json, read_regular
from nnlab.core.lazy import NDArray, np
from nnlab.parts.datasets.checks import digest_of

_FORMAT = 1
_MANIFEST = "manifest.json"
_LIMIT = 10**6


class Cached(NamedTuple):
    """What is kept: (N, *shape), (N,) and the SHA-256 of both."""

    inputs: "NDArray[Any]"
    targets: "NDArray[Any]"
    digest: str


def read_cache(folder: Path) -> Cached | None:
    """The arrays, or None when there are none or they are not those that were written."""
    try:
        manifest: object = parse_json(read_regular(folder / _MANIFEST, limit=_LIMIT, follow=True))
        inputs, targets = (_array(folder / name) for name in ("inputs.npy", "targets.npy"))
    except (OSError, EOFError, ValueError):
        return None
    digest = digest_of(inputs, targets)
    if manifest != {"format": _FORMAT, "sha256": digest}:
        return None
    return Cached(inputs, targets, digest)


def _array(path: Path) -> "NDArray[Any]":
    with open_regular(path, follow=True) as file:
        return np.load(file, allow_pickle=False)


def write_cache(folder: Path, inputs: "NDArray[Any]", targets: "NDArray[Any]") -> str:
    """Keeps two arrays and returns their SHA-256; does without where the disk does not let it.

    Each file comes whole under its name. A crash between two leaves a manifest that does not fit
    its arrays, which counts as no cache.
    """
    from tempfile import TemporaryDirectory

    digest = digest_of(inputs, targets)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".write-", dir=folder) as staged:
            np.save(Path(staged) / "inputs.npy", inputs, allow_pickle=False)
            np.save(Path(staged) / "targets.npy", targets, allow_pickle=False)
            manifest = json.dumps({"format": _FORMAT, "sha256": digest})
            (Path(staged) / _MANIFEST).write_text(manifest, "utf-8")
            for name in ("inputs.npy", "targets.npy", _MANIFEST):
                (Path(staged) / name).replace(folder / name)
    except OSError:
        pass
    return digest
