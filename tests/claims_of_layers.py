"""Claims of what goes through the layers, held against the recorded numbers of each layer."""

import json
import re
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from claims_records import Records, number_after

from nnlab.core.finding import Finding


def near_any(measured: float | None, numbers: list[float], tolerance: float = 0.02) -> None:
    assert measured is not None
    assert np.isclose(numbers, measured, rtol=tolerance, atol=1e-30).any(), (measured, numbers[-5:])


def gradient_ratio(finding: Finding, records: Records) -> None:
    """Of root mean squares, which are recorded beside the lengths that the check takes."""
    if not finding.quantity.startswith("gradient per weight"):
        grads = [records.per_layer(line, "grad_norm") for line in records.probed]
        norms = [records.per_layer(line, "weight_norm") for line in records.probed]
        layer = finding.layer or ""
        near_any(
            finding.measured,
            [g[layer] / n[layer] for g, n in zip(grads, norms, strict=True)
             if n.get(layer) and layer in g],
        )  # fmt: skip
        return
    found = re.search(r"weight, (\S+) over (\S+)", finding.quantity)
    assert found is not None
    first, last = found[1], found[2]
    # Lengths are recorded at every reading, root mean squares at full probes: a probe has both,
    # and with them the number of weights.
    pairs = (
        tuple(records.per_layer(probe, name) for name in ("grad_norm", "grad_rms"))
        for probe in records.probed
    )
    norms, sizes = next(
        (a, b) for a, b in pairs if all(one.get(n) for one in (a, b) for n in (first, last))
    )
    scale = norms[last] * sizes[first] / (sizes[last] * norms[first])
    lengths = [records.per_layer(line, "grad_norm") for line in records.lines]
    near_any(
        finding.measured,
        [one[first] / one[last] * scale for one in lengths if one.get(last) and first in one],
    )


def exploding_gradient(finding: Finding, records: Records) -> None:
    gradient_ratio(finding, records)
    assert finding.measured is not None
    assert finding.measured > 1.0


def vanishing_gradient(finding: Finding, records: Records) -> None:
    gradient_ratio(finding, records)
    assert finding.measured is not None
    assert finding.measured < 0.01


def update_ratio(finding: Finding, records: Records) -> None:
    """The middle of all layers lies between the least and the most of them."""
    lines = [records.per_layer(line, "update_ratio") for line in records.probed if line["step"]]
    every = [value for line in lines for value in line.values()]
    assert finding.measured is not None
    assert 0.98 * min(every) <= finding.measured <= 1.02 * max(every)


def learning_rate_too_low(finding: Finding, records: Records) -> None:
    update_ratio(finding, records)
    steps = records.summary["steps"]
    reach = number_after(finding.meaning, "change the weights by") / 100.0
    assert finding.measured is not None
    planned = number_after(finding.meaning, "all")
    assert np.isclose(reach, finding.measured * planned, atol=6e-4)
    ways = records.per_layer(records.probed[-1], "distance")
    if steps == planned:  # no path is longer than all of its steps; layers may differ
        assert min(ways.values()) <= 5.0 * reach + 1e-3, (ways, reach)


def group_rate_too_high(finding: Finding, records: Records) -> None:
    lines = [records.per_layer(line, "update_ratio") for line in records.probed if line["step"]]
    assert finding.layer is not None
    mine = [line[finding.layer] for line in lines if finding.layer in line]
    # A note is told at one reading, with the mean up to there, and stays.
    near_any(finding.measured, [float(np.mean(mine[:count])) for count in range(1, len(mine) + 1)])
    others = [np.mean([line[name] for line in lines]) for name in lines[0] if name != finding.layer]
    assert finding.measured is not None
    assert finding.measured > 3.0 * float(np.median(others))


def badly_initialized_layer(finding: Finding, records: Records) -> None:
    first = records.probed[0]
    after, before = (records.per_layer(first, f"{name}activation_std") for name in ("pre", ""))
    names = list(after)
    gains = {
        name: after[name] / before.get(last, after[last])
        for last, name in pairwise(names)
        if before.get(last, after[last])
    }
    assert finding.layer is not None
    ratio = gains[finding.layer] / float(np.median(list(gains.values())))
    assert max(ratio, 1.0 / max(ratio, 1e-30)) > 4.0, gains


def batch_norm(finding: Finding, records: Records) -> None:
    size = records.config["train"]["batch_size"]
    assert size != "full"
    assert finding.measured is not None
    assert finding.measured <= 4.0
    assert np.isclose(finding.measured, min(size, records.rows["train"])) or (
        records.rows["train"] % size == finding.measured
    )


def softmax_twice(finding: Finding, records: Records) -> None:
    """No loss is lower than what such outputs can reach."""
    assert finding.measured is not None
    for split in ("train", "validation"):
        losses = records.curve("loss", split)[:, 1]
        assert (losses > finding.measured - 0.02).all(), losses.min()


_BOUNDS = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, np.inf),
           "softplus": (0.0, np.inf)}  # fmt: skip


def targets_out_of_reach(finding: Finding, records: Records) -> None:
    kind = finding.quantity.rpartition(" cannot")[0].rpartition(" ")[2]
    scale = records.examples.target_scale
    targets = records.targets().astype(float).reshape(records.rows["train"], -1)
    if scale is not None:
        targets = (targets - np.array(scale.mean)) / np.array(scale.deviation)
    low, high = _BOUNDS[kind]
    beyond = ((targets < low - 1e-3) | (targets > high + 1e-3)).mean()
    assert finding.measured is not None
    assert np.isclose(beyond, finding.measured, atol=0.01)


def copied_units(finding: Finding, records: Records) -> None:
    from safetensors.numpy import load_file

    found = re.search(r"units of (\S+), of ([\d,]+)", finding.quantity)
    assert found is not None
    files = sorted(records.folder.glob("checkpoints/step-*/*.safetensors"))
    tensors = load_file(files[-1])
    name = next(k for k in tensors if k.endswith(f"{found[1]}.weight") and k.startswith("model/"))
    weight = tensors[name].reshape(len(tensors[name]), -1)
    bias = tensors.get(name.replace(".weight", ".bias"))
    whole = weight if bias is None else np.column_stack([weight, bias])
    assert len(whole) == int(found[2].replace(",", ""))
    different = len(np.unique(np.round(whole / np.abs(whole).max(), 5), axis=0))
    assert finding.measured is not None
    assert abs(different - finding.measured) <= 0.1 * len(whole) + 1


def scale_differs(finding: Finding, records: Records) -> None:
    """env.json says what the first weights expect, and how far the inputs are from it."""
    begun = json.loads((records.folder / "env.json").read_text())["weights"]
    assert finding.measured == begun["scale_off"]
    for change in finding.remedy:
        assert change != f"data.scale={records.config['data']['scale']}"


def forgetting(finding: Finding, records: Records) -> None:
    pair = re.search(r"\(\S+ (\S+), (\S+) with", finding.quantity)
    assert pair is not None
    before, after = float(pair[1]), float(pair[2])
    assert after < before
    assert finding.measured is not None
    assert finding.measured > 0.0
    ways = records.per_layer(records.probed[-1], "distance")
    assert max(ways.values()) > 0.01


CLAIMS: dict[str, Callable[[Finding, Records], None]] = {
    "badly_initialized_layer": badly_initialized_layer,
    "batch_norm_with_tiny_batches": batch_norm,
    "copied_units": copied_units,
    "exploding_gradient": exploding_gradient,
    "forgetting": forgetting,
    "group_rate_too_high": group_rate_too_high,
    "learning_rate_too_low": learning_rate_too_low,
    "scale_differs_from_weights": scale_differs,
    "softmax_twice": softmax_twice,
    "targets_out_of_reach": targets_out_of_reach,
    "update_ratio_off": update_ratio,
    "vanishing_gradient": vanishing_gradient,
}
