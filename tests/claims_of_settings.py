"""Claims about fields of the config, held against config.yaml and what the run recorded."""

from collections.abc import Callable
from math import log

import numpy as np
from claims_records import Records, number_after

from nnlab.core.finding import Finding

Claim = Callable[[Finding, Records], None]


def value_at(records: Records, path: str) -> object:
    found: object = records.config
    for key in path.split("."):
        assert isinstance(found, dict), path
        found = found[key]
    return found


def says_its_value(finding: Finding, records: Records, path: str) -> float:
    """The number that is told of a field is the one that stands there."""
    told = number_after(finding.meaning, f"{path} is")
    value = value_at(records, path)
    value = max(value) if isinstance(value, list) and path.endswith("betas") else value
    assert isinstance(value, int | float)
    assert np.isclose(told, value, rtol=1e-4), (told, value)
    return float(value)


def guess_loss(records: Records) -> float | None:
    """The loss of the best constant answer, of cross-entropy and mse; None of other losses."""
    kind, targets = records.config["loss"]["kind"], records.examples.answers("train")
    if kind == "cross_entropy" and targets.ndim == 1:
        shares = np.bincount(targets) / len(targets)
        return float(-sum(p * log(p) for p in shares if p))
    if kind == "mse":
        return 1.0 if records.examples.target_scale is not None else float(targets.var())
    return None


def learned_little(finding: Finding, records: Records) -> None:
    """What was not learned is still in the loss, in training or in validation."""
    guess = guess_loss(records)
    if guess is None or records.summary["status"] == "diverged" or not finding.worse_than("note"):
        return
    ends = [records.curve("loss", split)[-3:, 1].mean() for split in ("train", "validation")
            if len(records.curve("loss", split))]  # fmt: skip
    # A trial that heals says so however much was learned.
    assert max(ends) > 0.3 * guess or finding.tried, (ends, guess)


def pulled(path: str) -> Claim:
    """A penalty: weights that shrank, or a term as large as the loss."""

    def holds(finding: Finding, records: Records) -> None:
        says_its_value(finding, records, path)
        learned_little(finding, records)
        if finding.measured is None:
            return
        if finding.quantity.startswith("penalty"):
            guess = guess_loss(records)
            terms = records.curve("penalty")[-3:, 1].mean()
            assert guess is None or np.isclose(terms / guess, finding.measured, rtol=0.05)
            return
        first, last = (records.per_layer(records.probed[n], "weight_norm") for n in (0, -1))
        left = [last[name] / first[name] for name in first if first[name]]
        assert 0.98 * min(left) <= finding.measured <= 1.02 * max(left)

    return holds


def worse_in_training(finding: Finding, records: Records) -> None:
    """Examples as they are shown are no better known than those of validation."""
    learned_little(finding, records)
    trained, held = (records.curve("loss", split)[:, 1] for split in ("train", "validation"))
    assert trained[-5:].mean() > 0.75 * held.min(), (trained[-5:].mean(), held.min())


def dropout(finding: Finding, records: Records) -> None:
    assert number_after(finding.meaning, "dropout is") > 0.4
    worse_in_training(finding, records)


def label_smoothing(finding: Finding, records: Records) -> None:
    value = says_its_value(finding, records, "loss.label_smoothing")
    guess, classes = guess_loss(records), len(np.unique(records.examples.answers("train")))
    other = value / classes
    right = 1.0 - value + other
    least = -right * log(right) - (classes - 1) * other * log(other)
    assert guess is not None
    losses = records.curve("loss")[:, 1]
    assert losses[-5:].mean() > 0.98 * least
    assert finding.measured is None or np.isclose(finding.measured, 1.0 - least / guess, atol=0.02)


def averaging(finding: Finding, records: Records) -> None:
    back = 1.0 / (1.0 - float(value_at(records, "train.averaging.decay")))  # pyright: ignore[reportArgumentType]
    assert np.isclose(number_after(finding.meaning, "looks back over"), back, rtol=0.01)
    trained, held = (records.curve("loss", split)[:, 1] for split in ("train", "validation"))
    assert trained[-3:].mean() < held[-3:].mean()


def frozen(finding: Finding, records: Records) -> None:
    ways = records.per_layer(records.probed[-1], "distance")
    assert finding.layer is not None
    # Of weights that get no update at all nothing is recorded.
    name = finding.layer.partition(".weight")[0]
    assert ways.get(name, 0.0) <= 0.05
    assert name in ways or "a learning rate of 0:" in finding.meaning
    learned_little(finding, records)


def momentum(finding: Finding, records: Records) -> None:
    optimizer = records.config["optimizer"]
    assert max(optimizer.get("momentum", 0.0), *optimizer.get("betas", [0.0])) >= 0.98
    learned_little(finding, records)


def epsilon(finding: Finding, records: Records) -> None:
    value = says_its_value(finding, records, "optimizer.eps")
    lines = [records.per_layer(line, "grad_rms") for line in records.probed if line["step"]]
    sizes = [size for line in lines for size in line.values()]
    if finding.measured is not None:
        assert value > min(sizes)
        assert value / max(sizes) <= 1.02 * finding.measured <= 1.05 * value / min(sizes)
    learned_little(finding, records)


def clipping(finding: Finding, records: Records) -> None:
    says_its_value(finding, records, "train.clip_norm")
    if finding.measured is not None:
        shares = records.curve("clipped")[:, 1]
        assert np.isclose(shares.mean(), finding.measured, atol=0.02)
        assert finding.measured >= 0.9
    learned_little(finding, records)


def warmup(finding: Finding, records: Records) -> None:
    told, total = (number_after(finding.meaning, word) for word in ("takes", "of the run's"))
    assert told >= 0.4 * total
    rates = records.curve("learning_rate")
    if finding.measured is not None:
        base = records.config["optimizer"]["lr"]
        assert np.isclose(rates[:, 1].mean() / base, finding.measured, rtol=0.05)
    learned_little(finding, records)


def schedule(finding: Finding, records: Records) -> None:
    rates = records.curve("learning_rate")
    low = rates[rates[:, 1] < rates[:, 1].max() / 50.0]
    if finding.measured is not None:
        assert np.isclose(1.0 - low[0, 0] / rates[-1, 0], finding.measured, atol=0.02)
    learned_little(finding, records)


def early_stopping(finding: Finding, records: Records) -> None:
    assert records.summary["status"] == "early_stopped" or finding.tried
    if finding.measured is not None:
        assert finding.measured <= 0.7


def loss_does_not_fit(finding: Finding, records: Records) -> None:
    assert number_of_classes(records) > 1
    assert f"loss {records.config['loss']['kind']} " in finding.meaning


def number_of_classes(records: Records) -> int:
    return len(records.examples.shape.classes)


def batch(finding: Finding, records: Records) -> None:
    rows, size = records.rows["train"], records.config["train"]["batch_size"]
    size = rows if size == "full" else min(size, rows)
    assert number_after(finding.meaning, "a batch of") == size
    few_updates(finding, records)


def few_updates(finding: Finding, records: Records) -> None:
    """The loss was still falling: it was lower in the last third than in the one before."""
    steps = number_after(finding.meaning, "the run has" if "the run has" in finding.meaning
                         else "the whole run has")  # fmt: skip
    assert steps == records.summary["steps"]
    losses = records.curve("loss")[:, 1]
    if finding.measured is not None and finding.quantity.startswith("updates of"):
        assert finding.measured == records.curve("loss")[-1, 0]
    elif finding.measured is not None:
        third = len(losses) // 3
        fall = losses[-2 * third : -third].mean() - losses[-third:].mean()
        guess = guess_loss(records)
        assert fall > 0.0
        assert guess is None or np.isclose(fall / guess, finding.measured, rtol=0.05)
    learned_little(finding, records)


def narrow(finding: Finding, records: Records) -> None:
    assert finding.layer is not None
    width = number_after(finding.meaning, f"{finding.layer} has")
    hidden = records.config["model"]["hidden"]
    assert width == min(hidden)
    learned_little(finding, records)


def linear(finding: Finding, records: Records) -> None:
    """Nothing in the network bends: no activation but the identity stands in it."""
    model = records.config["model"]
    bends = model.get("activation", "identity")
    kind = bends if isinstance(bends, str) else bends["kind"]
    assert model["kind"] == "linear" or kind == "identity"
    assert "instead of" in finding.tried


def unusual(finding: Finding, records: Records) -> None:
    for change in finding.remedy:
        path, _, value = change.partition("=")
        section, _, key = path.partition(".")
        assert str(records.config.get(section, {}).get(key)) != value
    assert "instead of" in finding.tried or not finding.worse_than("note")


CLAIMS: dict[str, Claim] = {
    "augmentation_too_strong": worse_in_training,
    "averaging_too_slow": averaging,
    "batch_too_large": batch,
    "clip_norm_too_small": clipping,
    "dropout_too_large": dropout,
    "early_stopping_too_early": early_stopping,
    "epsilon_too_large": epsilon,
    "frozen_layers": frozen,
    "l1_too_large": pulled("regularize.l1"),
    "l2_too_large": pulled("regularize.l2"),
    "label_smoothing_too_large": label_smoothing,
    "layer_too_narrow": narrow,
    "linear_network": linear,
    "loss_does_not_fit": loss_does_not_fit,
    "max_norm_too_small": pulled("regularize.max_norm"),
    "momentum_too_large": momentum,
    "schedule_ends_too_early": schedule,
    "too_few_updates": few_updates,
    "unusual_setting": unusual,
    "warmup_too_long": warmup,
    "weight_decay_too_large": pulled("optimizer.weight_decay"),
}
