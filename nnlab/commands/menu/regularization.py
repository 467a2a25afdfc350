"""`nnlab menu regularization`: which section of a config holds which means against overfitting."""

from typing import NamedTuple

from nnlab.core.text import render_text, text_grid

TOPIC = "regularization"


class Means(NamedTuple):
    """One of them.

    Attributes:
        name: as the field calls it.
        place: where a config says it.
        example: the words of --set; empty for what is a command.
    """

    name: str
    place: str
    example: str


MEANS = (
    Means("L2 penalty", "regularize.l2", "regularize.l2=1e-4"),
    Means("L1 penalty", "regularize.l1", "regularize.l1=1e-5"),
    Means("max-norm", "regularize.max_norm", "regularize.max_norm=3"),
    Means("weight decay", "optimizer.weight_decay", "optimizer={kind: adamw, weight_decay: 0.01}"),
    Means("dropout", "model.dropout", "model.dropout=0.5"),
    Means("batch normalization", "model.norm", "model.norm=batch"),
    Means("early stopping", "train.early_stopping", "train.early_stopping={patience: 5}"),
    Means("gradient clipping", "train.clip_norm", "train.clip_norm=1"),
    Means("weight averaging", "train.averaging", "train.averaging={kind: ema, decay: 0.99}"),
    Means("balanced sampling", "train.sampling", "train.sampling=balanced"),
    Means("augmentation", "data.augment", "data.augment=[shift]"),
    Means("mixup, cutmix", "data.augment", "data.augment=[mixup]"),
    Means("input noise", "data.augment", "data.augment=[noise]"),
    Means("label noise", "data.label_noise", "data.label_noise=0.2"),
    Means("more or less data", "data.limit", "data.limit=1000"),
    Means("label smoothing", "loss", "loss={kind: cross_entropy, label_smoothing: 0.1}"),
    Means("small batches", "train.batch_size", "train.batch_size=16"),
    Means("ensembles", "nnlab eval RUN RUN ...", ""),
)


def regularization_page() -> str:
    """The table."""
    rows = [(means.name, means.place, means.example) for means in MEANS]
    return render_text(
        "regularization: what is said against overfitting, and where\n",
        text_grid(rows, head=("means", "said in", "as --set"), whole=(0, 1)),
        "\nnnlab menu regularize, train, augments, averages say more; nnlab show prints the sum",
    )
