"""A run as its folder has it, read with NumPy alone: what claims are held against."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from nnlab.core.contracts import Examples


@dataclass(frozen=True)
class Records:
    """A run as its folder has it."""

    folder: Path
    lines: list[dict[str, Any]]

    @classmethod
    def of(cls, folder: Path) -> "Records":
        text = (folder / "metrics.jsonl").read_text()
        return cls(folder, [json.loads(line) for line in text.splitlines()])

    def curve(self, key: str, split: str = "train") -> np.ndarray:
        """(T, 2) steps and values, without step 0."""
        found = [
            (one["step"], one[key])
            for one in self.lines
            if one["split"] == split and one["step"] and one.get(key) is not None
        ]
        return np.array(found, float).reshape(-1, 2)

    def values(self, prefix: str) -> np.ndarray:
        """Every number whose key begins so."""
        every = (v for one in self.lines for k, v in one.items() if k.startswith(f"{prefix}/"))
        return np.array([v for v in every if v is not None], float)

    @property
    def probed(self) -> list[dict[str, Any]]:
        """The readings that looked at every layer."""
        return [line for line in self.lines if any(k.startswith("weight_norm/") for k in line)]

    def per_layer(self, line: dict[str, Any], prefix: str) -> dict[str, float]:
        """hidden1 -> the number of its weights, or of the layer itself."""
        found: dict[str, float] = {}
        for key, value in line.items():
            if key.startswith(f"{prefix}/") and value is not None and not key.endswith(".bias"):
                found[re.sub(r"^\d+_|\.weight.*$", "", key.partition("/")[2])] = value
        return found

    @cached_property
    def config(self) -> dict[str, Any]:
        """The settled config."""
        return YAML(typ="safe", pure=True).load(self.folder / "config.yaml")

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What summary.json says."""
        return json.loads((self.folder / "summary.json").read_text())

    @cached_property
    def examples(self) -> Examples:
        """The data, as the run had them."""
        from nnlab.runs.finished.reopen import reopen_run

        return reopen_run(self.folder, "cpu")[1]

    def columns(self, split: str = "train") -> np.ndarray:
        """(N, F) the inputs of a split as they are stored."""
        rows = self.examples.rows[split]  # pyright: ignore[reportArgumentType]
        stored = np.asarray(self.examples.inputs)[rows]
        return self.examples.own(stored).reshape(len(rows), -1).astype(float)

    def seen(self, split: str = "train") -> np.ndarray:
        """(N, F) the inputs of a split as the network sees them."""
        rows = self.examples.rows[split]  # pyright: ignore[reportArgumentType]
        stored = np.asarray(self.examples.inputs)[rows].astype(float)
        return ((stored - self.examples.shift) * self.examples.factor).reshape(len(rows), -1)

    def targets(self, split: str = "train") -> np.ndarray:
        """(N,) or (N, K) the targets of a split, before labels were made wrong."""
        data = self.examples
        whole = data.targets if data.clean is None else data.clean
        return whole[data.rows[split]]  # pyright: ignore[reportArgumentType]

    @property
    def rows(self) -> dict[str, int]:
        sizes: dict[str, int] = json.loads((self.folder / "data.json").read_text())["sizes"]
        return sizes


def number_after(text: str, words: str) -> float:
    """The number that follows some words."""
    found = re.search(re.escape(words) + r"\s*([-+0-9.,]*[0-9](?:e[-+]?[0-9]+)?)", text)
    assert found is not None, (text, words)
    return float(found[1].replace(",", ""))
