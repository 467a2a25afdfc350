"""Wrong configs: each is refused quickly, with its place, its path and the way out."""

import io
import re
import subprocess
import sys
from pathlib import Path
from time import process_time
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from nnlab.config import fields, mistakes
from nnlab.config.described import MENUS
from nnlab.config.loading import load_config, place_for
from nnlab.config.run_config import RunConfig
from nnlab.config.words import synonyms
from nnlab.config.words import synonyms as synonyms_values
from nnlab.core.contracts import Machine
from nnlab.core.errors import ConfigError
from nnlab.core.kinds import annotation_of, arms_of, is_menu, kinds_having, kinds_of
from nnlab.experiment.settle import settle

BASE = "data: digits\nmodel: {kind: mlp, hidden: [16]}\n"
STACK = "data: digits\nmodel:\n  kind: stack\n  layers:\n"
FILE = "f.yaml"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refusal(text: str | bytes, *sets: str) -> list[str]:
    """The lines that refuse a config, at whichever stage; refusing takes less than a second."""
    Path(FILE).write_bytes(text if isinstance(text, bytes) else text.encode())
    start = process_time()
    with pytest.raises(ConfigError) as caught:
        settle(load_config(FILE, sets), place_for(Path.cwd()), Machine("cpu", 2))
    assert process_time() - start < 1.0
    assert caught.value.exit_code == 2
    assert all(line.isprintable() for line in caught.value.lines)
    return list(caught.value.lines)


def accepted(text: str, *sets: str) -> RunConfig:
    Path(FILE).write_text(text)
    return settle(load_config(FILE, sets), place_for(Path.cwd()), Machine("cpu", 2)).config


def one(rest: str) -> str:
    """The wrong value stands in line 3."""
    return BASE + rest + "\n"


def stack(*layers: str) -> str:
    """Layers from line 5 on; each begins in column 7."""
    return STACK + "".join(f"    - {layer}\n" for layer in layers)


# (id, text, the exact start of each line without the file's name)
KEYS = [
    (
        "no space after a colon in braces",
        one("optimizer: {kind: adam, lr:0.1}"),
        "3:25: optimizer.lr:0.1: a space is missing after the colon (write lr: 0.1)",
    ),
    (
        "no space after the only colon in braces",
        one("optimizer: {lr:0.1}"),
        "3:13: optimizer.lr:0.1: a space is missing after the colon (write lr: 0.1)",
    ),
    (
        "no space in the only line of a kind",
        one("optimizer:\n  lr:0.1"),
        "4:3: optimizer: a space is missing after the colon (write lr: 0.1)",
    ),
    (
        "no space in the last line of a kind",
        one("optimizer:\n  kind: adam\n  lr:0.1\ntrain: {epochs: 3}"),
        "5:3: a space is missing after the colon (write lr: 0.1)",
    ),
    (
        "no space in the first line of a kind",
        one("optimizer:\n  lr:0.1  # a comment\n\n  kind: adam"),
        "4:3: a space is missing after the colon (write lr: 0.1)",
    ),
    (
        "no space in a section",
        one("train:\n  epochs:3"),
        "4:3: train: a space is missing after the colon (write epochs: 3)",
    ),
    (
        "no space before a list",
        "data: iris\nmodel:\n  kind: mlp\n  hidden:[16]\n",
        "4:3: a space is missing after the colon (write hidden: [16])",
    ),
    (
        "no space in the first line of all",
        "data:iris\nmodel: linear\n",
        "1:1: a space is missing after the colon (write data: iris)",
    ),
    (
        "no space in the only line of all",
        "data:iris\n",
        "1:1: a space is missing after the colon (write data: iris)",
    ),
    (
        "no space in a layer",
        stack("linear:16"),
        "5:7: model.layers.0: a space is missing after the colon (write linear: 16)",
    ),
    ("a near miss", one("optimzer: sgd"), "3:1: optimzer: unknown key (did you mean optimizer?)"),
    (
        "a near miss of a word from elsewhere",
        one("optimizer: {kind: adam, learning_rte: 1}"),
        "3:25: optimizer.learning_rte: unknown key (did you mean lr?)",
    ),
    (
        "a word of Keras",
        one("optimizer: {kind: adam, learning_rate: 1}"),
        "3:25: optimizer.learning_rate: learning_rate is called lr here",
    ),
    (
        "scikit-learn's alpha on top",
        one("alpha: 0.0001"),
        "3:1: alpha: unknown key here (an L2 penalty is regularize.l2, scikit-learn's",
    ),
    (
        "scikit-learn's alpha where another alpha can stand",
        one("optimizer: {kind: adam, alpha: 0.0001}"),
        "3:25: optimizer.alpha: adam has no alpha (asgd and rmsprop can; an L2 penalty is",
    ),
    (
        "scikit-learn's max_iter",
        one("max_iter: 200"),
        "3:1: max_iter: unknown key here (write train.epochs, as scikit-learn's adam and sgd",
    ),
    (
        "scikit-learn's tol",
        one("train: {tol: 0.001}"),
        "3:9: train.tol: unknown key here (write train.early_stopping: {patience: ..., min_delta",
    ),
    (
        "Lightning's seed",
        one("seed_everything: 1"),
        "3:1: seed_everything: unknown key here (write seed)",
    ),
    (
        "Keras' callback",
        one("train: {restore_best_weights: true}"),
        "3:9: train.restore_best_weights: unknown key here (always so: eval and predict take",
    ),
    (
        "a key of another schedule",
        one("schedule: {kind: cosine, patience: 3}"),
        "3:26: schedule.patience: cosine has no patience (plateau can; write train.early_stopping",
    ),
    (
        "a word of pandas",
        "name: x\ndata: {kind: csv, path: a.csv, target: y, na_values: [x]}\nmodel: linear\n",
        "2:43: data.na_values: na_values is called missing_as here",
    ),
    ("a word of PyTorch", one("criterion: mse"), "3:1: criterion: criterion is called loss here"),
    (
        "the key of another section",
        one("train: {lr: 0.1}"),
        "3:9: train.lr: unknown key here (it belongs in optimizer.lr or rule.lr)",
    ),
    ("the key of a section, on top", one("epochs: 3"), "3:1: epochs: unknown key here (it belongs"),
    (
        "a section inside another",
        one("train: {model: mlp}"),
        "3:9: train.model: unknown key here (it belongs in the top level)",
    ),
    (
        "the key of another kind",
        one("optimizer: {kind: adam, momentum: 0.9}"),
        "3:25: optimizer.momentum: adam has no momentum (muon and rmsprop and sgd can; known are",
    ),
    (
        "a key with dots",
        one("optimizer.lr: 0.1"),
        "3:1: optimizer.lr: unknown key (write optimizer: {lr: ...})",
    ),
    (
        "a key that looks like a tag",
        one("<sgd>: 1"),
        "3:1: <sgd>: unknown key (known are base, data,",
    ),
    (
        "a key that looks like the tag of its place",
        one("optimizer: {kind: adam, <adam>: 1}"),
        "3:25: optimizer.<adam>: unknown key (known are amsgrad,",
    ),
    ("an empty key", one("'': 1"), "3:1: unknown key (known are base, data,"),
    ("a number as key", one("3: 1"), "3:1: 3: unknown key (known are base, data,"),
    ("a key that colours the terminal", one('"\\e[31mx": 1'), "3:1: \\x1b[31mx: unknown key"),
    ("a very long key", one("k" * 500 + ": 1"), f"3:1: {'k' * 120}...: unknown key"),
    (
        "a misspelled key of a layer",
        stack("{kind: linear, unit: 3}"),
        "5:22: model.layers.0.unit: unknown key (did you mean units?)",
    ),
    (
        "a key inside a block",
        stack("{kind: residual, layers: [{kind: conv, filters: 4}]}"),
        "5:46: model.layers.0.layers.0.filters: filters is called channels here",
    ),
    ("no data", "model: linear\n", "1:1: data: is missing and has no default"),
    ("no layers", "data: digits\nmodel: stack\n", "2:8: model.layers: is missing and has no"),
    ("no kind", one("optimizer: {lr: 0.1}"), "3:12: optimizer: needs kind, one of adadelta,"),
]
NAMES = [
    (
        "a near miss",
        one("loss: cross_entrpy"),
        "3:7: loss: 'cross_entrpy' is not one of auto, bce, cross_entropy, focal, gaussian_nll, "
        "hinge, huber, kl, log_cosh, mae, mse, multi_margin, poisson_nll, quadratic, quantile, "
        "smooth_l1, ... (did you mean cross_entropy?)",
    ),
    ("of PyTorch", one("loss: NLLLoss"), "3:7: loss: 'NLLLoss' is called cross_entropy here"),
    ("of a loss class", one("loss: SmoothL1Loss"), "3:7: loss: 'SmoothL1Loss' is called smooth_l1"),
    ("with logits", one("loss: BCEWithLogitsLoss"), "3:7: loss: 'BCEWithLogitsLoss' is called bce"),
    (
        "of Keras' losses",
        one("loss: categorical_crossentropy"),
        "3:7: loss: 'categorical_crossentropy' is called cross_entropy here",
    ),
    ("of scikit-learn", one("scores: [f1_score]"), "3:10: scores.0: 'f1_score' is called f1 here"),
    (
        "of focal's alpha",
        one("loss: {kind: focal, alpha: 0.25}"),
        "3:21: loss.alpha: alpha is called class_weights here",
    ),
    (
        "of class weights",
        one("loss: {kind: cross_entropy, class_weights: fair}"),
        "3:44: loss.class_weights: ",
    ),
    ("of Keras", one("optimizer: Adam"), "3:12: optimizer: 'Adam' is called adam here"),
    (
        "in a mapping",
        one("optimizer: {kind: sdg2}"),
        "3:19: optimizer.kind: 'sdg2' is not one of adadelta, adafactor, adagrad, adam, adamax,",
    ),
    (
        "of an initializer",
        BASE.replace("[16]", "[16], init: kaiming_normal"),
        "2:40: model.init: 'kaiming_normal' is called he_normal here",
    ),
    ("a data set", "data: minst\nmodel: linear\n", "1:7: data: 'minst' is not one of adding, and,"),
    (
        "a number",
        one("optimizer: 3"),
        "3:12: optimizer: needs a name or a mapping with kind, got 3",
    ),
    (
        "left out",
        one("optimizer:"),
        "3:1: optimizer: needs a name or a mapping with kind, got null (or leave it out)",
    ),
    (
        "left out below",
        one("train:"),
        "3:1: train: has nothing below it, such as epochs: ... (or leave it out)",
    ),
    (
        "a column called 1",
        "data: {kind: csv, path: a.csv, target: 1}\nmodel: linear\n",
        '1:40: data.target: needs text or a list, got 1 (write "1", in quotes)',
    ),
    (
        "a blank of a page",
        "data:\u00a0iris\nmodel: linear\n",
        "1:6: a blank stands here that YAML takes for a letter (U+00A0: write a plain one)",
    ),
    (
        "a list",
        one("optimizer: [sgd]"),
        "3:12: optimizer: needs a name or a mapping with kind, got",
    ),
    ("auto", one("optimizer: auto"), "3:12: optimizer: 'auto' is not one of adadelta,"),
    (
        "an activation as a layer",
        stack("flatten", "relu"),
        "6:7: model.layers.1: 'relu' is written {kind: activation, function: relu} here",
    ),
    ("a softmax as a layer", stack("flatten", "softmax"), "6:7: model.layers.1: 'softmax' is not"),
    (
        "with a line break",
        one('optimizer: "a\\nb"'),
        "3:12: optimizer: 'a\\nb' is not one of adadelta,",
    ),
    ("of a precision", one("train: {precision: float16}"), "3:20: train.precision: 'float16' is"),
    ("yes for on", one("train: {compile: yes}"), "3:18: train.compile: 'yes' is called on here"),
    ("true for on", one("train: {compile: true}"), "3:18: train.compile: true is called on here"),
    ("a score", one("scores: [acc]"), "3:10: scores.0: 'acc' is called accuracy here"),
]
EPOCHS = [
    ('"3"', "got the text '3' (write 3, without quotes)"),
    ("3.5", "got 3.5"),
    ("3.0", "got 3.0 (write 3)"),
    ("1e3", "got 1000.0 (write 1000)"),
    ("true", "got true"),
    ("[1]", "got a list"),
    ("{a: 1}", "got a mapping"),
    ("1_000", "got the text '1_000' (write 1000, without quotes)"),
    ("0123", "got the text '0123' (write 123, without quotes)"),
    ("1:30", "got the text '1:30'"),
    ("2024-01-01", "got the text '2024-01-01'"),
    ("yes", "got the text 'yes'"),
    (".nan", "got nan"),
    ("1e400", "got inf"),
    ("9" * 5000, "got inf"),
]
LR = [
    ("0", "must be greater than 0, got 0"),
    ("-1", "must be greater than 0, got -1"),
    (".nan", "must be a finite number, got nan"),
    (".inf", "must be a finite number, got inf"),
    ("-.inf", "must be a finite number, got -inf"),
    ("1e400", "must be a finite number, got inf"),
    ("1e39", "must be at most 3.4e+38 in size, which float32 holds, got 1e+39"),
    ('"0.1"', "must be a number, got the text '0.1' (write 0.1, without quotes)"),
    ("1_0.5", "must be a number, got the text '1_0.5' (write 10.5, without quotes)"),
    ("1:30", "must be a number, got the text '1:30'"),
    ("fast", "must be a number, got the text 'fast'"),
    ("$LR", "must be a number, got the text '$LR'"),
    ("null", "must be a number, got null"),
    ("true", "must be a number, got true"),
    ("[0.1]", "must be a number, got a list"),
]
VALUES = [
    ("no epochs", one("train: {epochs: 0}"), "3:17: train.epochs: must be at least 1, got 0"),
    ("negative epochs", one("train: {epochs: -1}"), "3:17: train.epochs: must be at least 1, got"),
    (
        "10^18 epochs",
        one(f"train: {{epochs: {10**18}}}"),
        f"3:17: train.epochs: must be at most 10000000, got {10**18}",
    ),
    ("no batch", one("train: {batch_size: 0}"), "3:21: train.batch_size: must be greater than 0"),
    (
        "a word for a batch size",
        one("train: {batch_size: half}"),
        "3:21: train.batch_size: needs a whole number or full, got the text 'half'",
    ),
    (
        "a batch size in quotes",
        one('train: {batch_size: "64"}'),
        "3:21: train.batch_size: needs a whole number or full, got the text '64' (write 64,",
    ),
    (
        "everything dropped out",
        BASE.replace("[16]", "[16], dropout: 1.0"),
        "2:43: model.dropout: must be less than 1, got 1.0",
    ),
    (
        "betas of 1",
        one("optimizer: {kind: adam, betas: [0.9, 1]}"),
        "3:38: optimizer.betas.1: must be less than 1, got 1",
    ),
    (
        "three betas",
        one("optimizer: {kind: adam, betas: [0.9, 0.9, 0.9]}"),
        "3:32: optimizer.betas: must be a list of at most 2, got one of 3",
    ),
    (
        "yes for a boolean",
        one("optimizer: {kind: sgd, nesterov: yes, momentum: 0.9}"),
        "3:34: optimizer.nesterov: must be true or false, got the text 'yes' (write true)",
    ),
    (
        "NO for a boolean",
        one("optimizer: {kind: sgd, nesterov: NO}"),
        "3:34: optimizer.nesterov: must be true or false, got the text 'NO' (write false)",
    ),
    ("a seed below 0", one("seed: -1"), "3:7: seed: must be at least 0, got -1"),
    (
        "a seed of 33 bits",
        one(f"seed: {2**32}"),
        "3:7: seed: must be less than 4294967296, got 4294967296",
    ),
    (
        "a width for a list",
        BASE.replace("[16]", "16"),
        "2:28: model.hidden: needs a list or {width:",
    ),
    ("no units", BASE.replace("16", "0"), "2:29: model.hidden.0: must be greater than 0, got 0"),
    (
        "a million equal layers",
        BASE.replace("[16]", "{width: 1, depth: 1000000}"),
        "2:46: model.hidden.depth: must be at most 1000, got 1000000",
    ),
    (
        "1,001 layers",
        BASE.replace("[16]", "[" + "2, " * 1001 + "]"),
        "2:28: model.hidden: must be a list of at most 1000, got one of 1001",
    ),
    (
        "a million layers",
        BASE.replace("[16]", "[" + "2," * 10**5 + "]"),
        "1:1: holds more than 20,000 lines and commas",
    ),
    (
        "10^12 units",
        BASE.replace("16", str(10**12)),
        "2:29: model.hidden.0: 75,000,000,000,010 parameters are more than the limit of",
    ),
    ("a list for a section", one("train: [3]"), "3:8: train: needs {epochs: ..., steps: ...,"),
    (
        "a number for a section",
        one("regularize: 5"),
        "3:13: regularize: needs {l2: ..., l1: ..., per: ..., on: ..., max_norm: ...}, got 5",
    ),
    (
        "a word for early stopping",
        one("train: {early_stopping: off}"),
        "3:25: train.early_stopping: needs a number of epochs, or such as '500 steps' or '10%' or "
        "{patience: ..., min_delta: ...} or null, got the text 'off'",
    ),
    (
        "a negative patience",
        one("train: {early_stopping: -1}"),
        "3:25: train.early_stopping: needs a number of epochs, or such as",
    ),
    (
        "a patience in minutes",
        one("train: {early_stopping: 5 min}"),
        "3:25: train.early_stopping: needs a number of epochs, or such as '500 steps' or '10%'",
    ),
    (
        "a score without a list",
        one("scores: accuracy"),
        "3:9: scores: needs auto or a list, got the",
    ),
    ("a name that leaves the folder", one("name: ../x"), "3:7: name: needs up to 100 letters,"),
    ("a name that is a number", one("name: 2024"), "3:7: name: must be text, got 2024 (put it in"),
    (
        "a duration without a unit that exists",
        one("schedule: {kind: cosine, warmup: 3 hours}"),
        "3:34: schedule.warmup: needs a number of epochs, or such as '500 steps' or '10%' ",
    ),
    (
        "more than the whole run",
        one("schedule: {kind: cosine, warmup: 200%}"),
        "3:34: schedule.warmup: needs at most 100% of the run, got the text '200%'",
    ),
    (
        "1 as a split",
        "data: {kind: digits, validation: 1}\nmodel: linear\n",
        "1:34: data.validation: needs a count of 2 or more, a fraction below 1 or none",
    ),
    (
        "1.0 as a split",
        "data: {kind: digits, validation: 1.0}\nmodel: linear\n",
        "1:34: data.validation: needs a fraction below 1",
    ),
    (
        "the monitor of Keras",
        one("train: {monitor: val_loss}"),
        "3:18: train.monitor: needs auto, none, or such as loss/validation",
    ),
]
MEANINGS = [
    (
        "plateau without validation",
        "data: {kind: digits, validation: none}\nmodel: linear\nschedule: plateau\n",
        "3:11: schedule: plateau needs a validation split (data.validation is none)",
    ),
    (
        "plateau without anything to watch",
        one("schedule: plateau\ntrain: {monitor: none}"),
        "3:11: schedule: plateau needs something to watch (train.monitor is none)",
    ),
    (
        "early stopping without validation",
        "data: {kind: digits, validation: none}\nmodel: linear\n"
        "train: {early_stopping: {patience: 3}}\n",
        "3:25: train.early_stopping: needs a validation split",
    ),
    (
        "a schedule without an end",
        one("train: {minutes: 3}\nschedule: one_cycle"),
        "4:11: schedule: one_cycle needs to know the end of the run (give train.epochs or",
    ),
    (
        "two lengths",
        one("train: {epochs: 3, steps: 4}"),
        "3:27: train.steps: epochs is given too (a run has exactly one of epochs, steps and",
    ),
    (
        "minutes where steps are counted",
        one("log: {every: 5 min}"),
        "3:14: log.every: needs a number of epochs, or such as '500 steps' or '10%' (only the "
        "whole run can be counted by the clock, as train.minutes), got the text '5 min'",
    ),
    ("a reading never", one("log: {every: 0}"), "3:14: log.every: must be greater than 0"),
    (
        "the monitor of a score that is not kept",
        one("train: {monitor: r2/validation}"),
        "3:18: train.monitor: r2 is not measured (measured are loss, accuracy)",
    ),
    (
        "a loss for classes on numbers",
        "data: diabetes\nmodel: linear\nloss: cross_entropy\n",
        "3:7: loss: cross_entropy cannot be trained on targets that are real numbers",
    ),
    (
        "a score twice",
        one("scores: [accuracy, accuracy]"),
        "3:20: scores.1: accuracy was given before",
    ),
    (
        "an output that the loss cannot take",
        BASE.replace("[16]", "[16], output: {activation: sigmoid}"),
        "2:55: model.output.activation: cross_entropy takes softmax, got sigmoid "
        "(mse and quadratic take any activation)",
    ),
    (
        "no training rows",
        "data: {kind: digits, validation: 9000}\nmodel: linear\n",
        "1:7: data: 359 for test and 9000 for validation of 1797 rows leave 0 to train on",
    ),
    (
        "a scale for tables on images",
        "data: {kind: digits, scale: feature}\nmodel: linear\n",
        "1:29: data.scale: feature is for the columns of a table",
    ),
    (
        "a batch of one under batch normalization",
        one("train: {batch_size: 1}").replace("[16]", "[16], norm: batch"),
        "3:21: train.batch_size: 1258 examples in batches of 1 leave a batch of one",
    ),
    (
        "the only batch dropped",
        "data: xor\nmodel: linear\ntrain: {drop_last: true}\n",
        "3:20: train.drop_last: drops the only batch: 4 examples are fewer than batch_size",
    ),
    (
        "nesterov without momentum",
        one("optimizer: {kind: sgd, nesterov: true}"),
        "3:12: optimizer: nesterov needs momentum > 0",
    ),
]
SHAPES = [
    (
        "a kernel larger than the image",
        stack("{kind: conv, channels: 4, kernel: 9}", "flatten"),
        "5:41: model.layers.0.kernel: a window of (9, 9) does not fit into (1, 8, 8) with this",
    ),
    (
        "a kernel larger than what is left",
        stack("{kind: conv, channels: 4}", "max_pool", "{kind: max_pool, kernel: 4}", "flatten"),
        "7:32: model.layers.2.kernel: a window of (4, 4) does not fit into (4, 3, 3)",
    ),
    (
        "a kernel by default",
        stack("max_pool", "max_pool", "{kind: conv, channels: 4}", "flatten"),
        "7:7: model.layers.2.kernel: a window of (3, 3) does not fit into (1, 2, 2)",
    ),
    (
        "no flatten before linear",
        stack("{kind: conv, channels: 4}", "{kind: linear, units: 4}"),
        "6:7: model.layers.1 (linear): needs a flat input, gets (4, 6, 6) (put flatten before)",
    ),
    (
        "no flatten at the end",
        stack("max_pool", "{kind: conv, channels: 4}"),
        "6:7: model.layers.1: the output layer needs a flat input, gets (4, 2, 2) (put flatten",
    ),
    (
        "conv behind flatten",
        stack("flatten", "{kind: conv, channels: 4}"),
        "6:7: model.layers.1 (conv): needs (channels, height, width), gets (64,)",
    ),
    (
        "images wanted, a table given",
        "data: iris\nmodel: cnn\n",
        "2:8: model.channels.0 (conv): needs (channels, height, width), gets (4,)",
    ),
    (
        "a written output layer",
        stack("flatten", "{kind: linear, units: 10}"),
        "6:7: model.layers.1 (linear): looks like the output layer, and the output layer is not "
        "written: its size follows from the data and its form from the loss (remove it)",
    ),
    (
        "a softmax on a layer",
        stack("flatten", "{kind: linear, units: 9, activation: softmax}"),
        "6:7: model.layers.1 (linear): a softmax inside a network: the output layer is not written",
    ),
    (
        "groups that do not divide",
        stack("{kind: conv, channels: 6, norm: {kind: group, groups: 4}}", "flatten"),
        "5:39: model.layers.0.norm: 4 groups do not divide 6 channels",
    ),
    (
        "a shorthand's norm",
        BASE.replace("[16]", "[16, 12], norm: group"),
        "2:33: model.hidden.1: 8 groups do not divide 12 channels",
    ),
    (
        "a shorthand's pools",
        "data: digits\nmodel: {kind: cnn, channels: [4, 4, 4, 4]}\n",
        "2:40: model.channels.3: a window of (2, 2) does not fit into (4, 1, 1)",
    ),
    (
        "a shorthand's kernel",
        "data: digits\nmodel: {kind: cnn, kernel: 4}\n",
        "2:28: model.kernel: must be odd, got 4",
    ),
    (
        "a skip that does not fit",
        stack("{kind: residual, skip: identity, layers: [{kind: conv, channels: 2}]}", "flatten"),
        "5:7: model.layers.0 (residual): the skip is the identity, but (1, 8, 8) becomes (2, 6, 6)",
    ),
    (
        "a kernel inside a block",
        stack("{kind: residual, layers: [{kind: conv, channels: 2, kernel: 9}]}", "flatten"),
        "5:67: model.layers.0.layers.0.kernel: a window of (9, 9) does not fit into (1, 8, 8)",
    ),
]
ALL = [
    *((f"key: {name}", *case) for name, *case in KEYS),
    *((f"name: {name}", *case) for name, *case in NAMES),
    *(
        (
            f"epochs: {text[:12]}",
            one(f"train: {{epochs: {text}}}"),
            f"3:17: train.epochs: needs a whole number or auto or null, {found}",
        )
        for text, found in EPOCHS
    ),
    *(
        (
            f"lr: {text}",
            one(f"optimizer: {{kind: sgd, lr: {text}}}"),
            f"3:28: optimizer.lr: {found}",
        )
        for text, found in LR
    ),
    *((f"value: {name}", *case) for name, *case in VALUES),
    *((f"meaning: {name}", *case) for name, *case in MEANINGS),
    *((f"shape: {name}", *case) for name, *case in SHAPES),
    ("empty", "", "1:1: needs a mapping with data and model, found nothing"),
    ("only a comment", "# nothing\n", "1:1: needs a mapping with data and model, found nothing"),
    ("one word", "digits\n", "1:1: needs a mapping with data and model, found one value"),
    ("a list", "- digits\n", "1:1: needs a mapping with data and model, found a list"),
    ("two documents", BASE + "---\n" + BASE, "3:1: a second document starts here"),
    ("a key twice", one("data: iris"), "3:1: the key 'data' was given before, in line 1"),
    (
        "a key twice in a layer",
        stack("{kind: linear, units: 1, units: 2}"),
        "5:32: the key 'units' was given before, in line 5",
    ),
    ("not UTF-8", BASE.encode() + b"name: \xff\n", "3:7: is not UTF-8 text"),
    ("a tab", "data: digits\nmodel:\n\tkind: mlp\n", "3:1: a tab indents here"),
    ("3,000 brackets", one("name: " + "[" * 3_000), "3:71: nested deeper than 64 levels"),
]


@pytest.mark.parametrize(("text", "line"), [case[1:] for case in ALL], ids=[c[0] for c in ALL])
def test_refuses_in_one_line(text: str | bytes, line: str) -> None:
    (found,) = refusal(text)
    assert found.startswith(f"{FILE}:{line}")


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("optimizer.lr=0", "optimizer.lr: must be greater than 0, got 0"),
        ("optimizer.lr=", "optimizer.lr: must be a number, got null"),
        ("optimizer.lr=1_000", "optimizer.lr: must be a number, got the text '1_000'"),
        ("optimizer.learning_rate=1", "optimizer.learning_rate: learning_rate is called lr here"),
        ("optimiser.lr=1", "optimiser: unknown key (did you mean optimizer?)"),
        ("a.b=1", "a: unknown key (known are base, data,"),
        ("optimizer.lr.x=1", "optimizer.lr is a value, it has no keys"),
        ("optimizer=sdg2", "optimizer: 'sdg2' is not one of adadelta,"),
        (
            "name=a=b",
            "name: needs up to 100 letters, digits, _, . or -, a letter or digit first, got ",
        ),
        (
            "name=a b",
            "name: needs up to 100 letters, digits, _, . or -, a letter or digit first, got ",
        ),
        ("model.hidden.1=5", "model.hidden has no 1 (it has 1 entries, counted from 0)"),
        ("model.hidden.x=5", "model.hidden has no x"),
        (
            "model.hidden.depth=20",
            'model.hidden is a list of widths here (write --set "model.hidden={width: 16, depth: '
            '20}")',
        ),
        (
            "model.hidden.width=9",
            'model.hidden is a list of widths here (write --set "model.hidden={width: 9, depth: '
            '1}")',
        ),
        ("data.3=4", "data has no 3"),
        ("3=4", "a config has no 3"),
        ("optimizer.lr", "needs KEY=VALUE, such as optimizer.lr=0.01"),
        ("=3", "needs KEY=VALUE"),
        ("optimizer..lr=1", "needs KEY=VALUE"),
        (".=1", "needs KEY=VALUE"),
        ("model.activation.slope=1", "model.activation: needs kind, one of celu,"),
        ("model.output.activation=sigmoid", "model.output.activation: cross_entropy takes softmax"),
    ],
)
def test_refuses_an_override(override: str, line: str) -> None:
    (found,) = refusal(one("optimizer: {kind: sgd, lr: 0.1}"), override)
    assert found.startswith(f"--set {override}: {line}")


@pytest.mark.parametrize(
    "text", ["*a", "!!x y", "[1", "{lr: 1, lr: 2}", "a: b: c", "\t1", "1\nb: 2"]
)
def test_refuses_an_override_that_is_no_yaml(text: str) -> None:
    (found,) = refusal(BASE, f"optimizer={text}")
    assert found.startswith("--set optimizer=")


def test_refuses_an_unknown_layer_and_names_those_there_are() -> None:
    text = stack("{kind: conv, channels: 2}", "max_pool", "flatten", "{kind: linear, units: 3}")
    (found,) = refusal(text, "model.layers.conv2.kernel=3")
    assert found.endswith("model.layers has no conv2 (it has conv1, pool1, flatten, hidden1)")


def test_a_shape_made_wrong_by_an_override_is_told_there() -> None:
    text = stack("{kind: conv, channels: 2, kernel: 3}", "flatten")
    (found,) = refusal(text, "model.layers.conv1.kernel=9")
    assert found.startswith("--set model.layers.conv1.kernel=9: model.layers.0.kernel: a window")


def test_two_mistakes_are_both_told_from_top_to_bottom() -> None:
    found = refusal(
        one("train: {bach_size: 3, epochs: 1, steps: 2}\noptimizer: {kind: sgd, lr: -1}")
    )
    assert [line.partition(": ")[0] for line in found] == [
        f"{FILE}:3:9",
        f"{FILE}:3:41",
        f"{FILE}:4:28",
    ]


def test_the_fields_of_misspelled_kinds_are_told_with_them() -> None:
    """Else a config of five typing errors would be told in two rounds, a nested one in three."""
    lines = refusal(
        "data: {kind: irris, scal: none}\n"
        "model: {kind: stak, layers: [{kind: cnv, chanels: 3}, {kind: linear, unit: 3}]}\n"
        "optimizer: {kind: adm, lr: -1}\n"
    )
    told = [line.partition(":")[2].split(": ") for line in lines]
    assert [(part[1], part[2].partition(" is not one")[0]) for part in told] == [
        ("data.kind", "'irris'"),
        ("data.scal", "unknown key (did you mean scale?)"),
        ("model.kind", "'stak'"),
        ("model.layers.0.kind", "'cnv'"),
        ("model.layers.0.chanels", "unknown key (did you mean channels?)"),
        ("model.layers.1.unit", "unknown key (did you mean units?)"),
        ("optimizer.kind", "'adm'"),
        ("optimizer.lr", "must be greater than 0, got -1"),
    ]


def test_a_kind_that_is_like_none_tells_nothing_of_its_fields() -> None:
    (line,) = refusal("data: {kind: qqqqqqqq, scal: none}\nmodel: linear\n")
    assert "data.kind: 'qqqqqqqq' is not one of" in line


def test_all_meanings_are_told_at_once() -> None:
    found = refusal(
        "data: {kind: digits, validation: none}\nmodel: {kind: mlp, hidden: [12], norm: group}\n"
        "loss: mse\nschedule: plateau\ntrain: {early_stopping: {patience: 3}}\nscores: [r2]\n"
    )
    assert [line.split(": ")[1] for line in found] == [
        "model.hidden.0",
        "schedule",
        "train.early_stopping",
        "scores.0",
    ]


def test_what_stands_below_a_word_from_elsewhere_is_told_with_it() -> None:
    found = refusal(BASE + "scheduler: {kind: StepLR, step_size: 3, gama: 0.5}\n")
    assert [line.split(": ", 1)[1] for line in found] == [
        "scheduler: scheduler is called schedule here",
        "scheduler.kind: 'StepLR' is called steps here",
        "scheduler.step_size: step_size is called every here",
        "scheduler.gama: unknown key (did you mean gamma?)",
    ]


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("optimizer: {kind: sgd, lr: 0,001}", "a comma ends a value here (write lr: 0.001, with"),
        ("optimizer:\n  kind: sgd\n  lr: 0,001", "(write 0.001)"),
        ("train: {sampling: true}", "true is called shuffled here"),
        ("train: {sampling: false}", "false is called in_order here"),
        ("shuffle: true", "(write train.sampling: shuffled, which is the default, or in_order)"),
    ],
)
def test_the_way_out_of_what_people_write_works(written: str, says: str) -> None:
    (line,) = refusal(f"{BASE}{written}\n")
    assert says in line


def test_one_mistake_more_than_ten_is_told_in_place_of_that_it_is_there() -> None:
    found = refusal(BASE + "".join(f"bad{number}: 1\n" for number in range(11)))
    assert len(found) == 11
    assert "bad10" in found[-1]


def test_at_most_ten_mistakes_are_told() -> None:
    found = refusal(BASE + "".join(f"bad{number}: 1\n" for number in range(14)))
    assert len(found) == 11
    assert found[-1] == "... and 4 more"


def test_numbers_of_yaml_1_2_are_numbers() -> None:
    texts = ("1e-3", "1E-3", "1e3", ".5", "5.", "0.001", "1")
    rates = [accepted(one(f"optimizer: {{kind: sgd, lr: {t}}}")).optimizer.lr for t in texts]
    assert rates == [0.001, 0.001, 1000.0, 0.5, 5.0, 0.001, 1.0]


def test_off_is_a_word() -> None:
    assert accepted(one("train: {compile: off}")).train.compile == "off"


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b""], ids=["bom", "no bom"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_accepts_a_file_of_any_editor(start: bytes, newline: bytes) -> None:
    Path(FILE).write_bytes(start + BASE.encode().replace(b"\n", newline))
    assert load_config(FILE).model.kind == "mlp"


def test_environment_variables_are_not_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "value")
    assert "value" not in "".join(refusal(one("name: $SECRET")))


class TestFiles:
    def test_refuses_a_file_that_is_not_there(self) -> None:
        with pytest.raises(ConfigError, match=r"^nope\.yaml: no such file or bundled config"):
            load_config("nope.yaml")

    def test_offers_the_nearest_bundled_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(
            "nnlab.config.loading.bundled_configs", lambda: {"spirals": Path("spirals.yaml")}
        )
        with pytest.raises(ConfigError, match=r"\(did you mean spirals\?\)"):
            load_config("spiral")

    def test_refuses_a_folder(self) -> None:
        with pytest.raises(ConfigError, match="is a folder, needs a YAML file"):
            load_config(Path.cwd())

    def test_refuses_a_name_too_long_for_the_disk(self) -> None:
        with pytest.raises(ConfigError, match="File name too long"):
            load_config("x" * 5000)

    def test_refuses_a_file_that_cannot_be_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def closed(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        # Tests may run as root, who may read everything.
        monkeypatch.setattr(Path, "open", closed)
        with pytest.raises(ConfigError, match=r"^f\.yaml: Permission denied$"):
            load_config(FILE)

    def test_refuses_a_device_without_an_end(self) -> None:
        with pytest.raises(ConfigError, match="larger than 1 MB"):
            load_config("/dev/zero")

    def test_refuses_ten_megabytes(self) -> None:
        Path(FILE).write_bytes(b"a" * 10_000_000)
        with pytest.raises(ConfigError, match="larger than 1 MB"):
            load_config(FILE)


class TestStandardInput:
    @staticmethod
    def write(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="ascii"))

    def test_is_read_as_utf_8(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.write(monkeypatch, f"# é\n{BASE}".encode())
        assert load_config("-").name == "stdin"

    def test_is_named_in_mistakes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.write(monkeypatch, b"data: digits\nmodle: linear\n")
        with pytest.raises(
            ConfigError, match=r"^<stdin>:1:1: model: is missing|^<stdin>:2:1: modle"
        ):
            load_config("-")

    def test_that_is_not_utf_8_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.write(monkeypatch, b"\xff")
        with pytest.raises(ConfigError, match=r"^<stdin>:1:1: is not UTF-8 text"):
            load_config("-")


def words(annotation: Any, seen: set[Any]) -> tuple[set[str], set[str]]:
    """All keys and all names (of kinds, of choices) that the language has below an annotation."""
    keys: set[str] = set()
    names: set[str] = set()
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation in seen:
            return keys, names
        seen.add(annotation)
        keys |= set(annotation.model_fields)
        inner = [annotation_of(f) for f in annotation.model_fields.values()]
    elif get_origin(annotation) is not None and isinstance(get_args(annotation)[0], str):
        return keys, set(get_args(annotation))
    else:
        if is_menu(annotation):
            names |= set(kinds_of(annotation))
            inner: list[Any] = [*kinds_of(annotation).values()]
        else:
            inner = [a for a in arms_of(annotation) if a is not annotation]
            inner += get_args(annotation) if get_origin(annotation) is tuple else ()
    for part in inner:
        more = words(part, seen)
        keys |= more[0]
        names |= more[1]
    return keys, names


LANGUAGE = words(RunConfig, set())


@pytest.mark.parametrize("word", sorted(synonyms.KEY_SYNONYMS))
def test_every_synonym_of_a_key_leads_to_a_key(word: str) -> None:
    assert set(synonyms.KEY_SYNONYMS[word]) <= LANGUAGE[0]


@pytest.mark.parametrize("word", sorted(synonyms_values.VALUE_SYNONYMS))
def test_every_synonym_of_a_name_leads_to_a_name(word: str) -> None:
    assert set(synonyms_values.VALUE_SYNONYMS[word]) <= LANGUAGE[1]


@pytest.mark.parametrize(
    "word", [*synonyms.KEY_SYNONYMS, *synonyms_values.VALUE_SYNONYMS, *synonyms.LAYER_SYNONYMS]
)
def test_synonyms_are_spelled_plainly(word: str) -> None:
    assert synonyms.plain_word(word) == word


@pytest.mark.parametrize(
    "place", [("optimizer", "<adam>"), ("model", "<stack>", "layers", 0, "<conv>")]
)
def test_the_keys_of_a_place_are_found(place: tuple[str | int, ...]) -> None:
    assert {"kind"} < set(fields.fields_at(RunConfig, place))


def test_swapped_letters_are_nearer_than_a_longer_word() -> None:
    # difflib alone ranks adamax first: 2 * 4 / 10 letters in common, adam 2 * 3 / 8.
    valid = ["adadelta", "adagrad", "adam", "adamax", "adamw"]
    assert mistakes.nearest("adma", valid, {}) == ("adam", True)


@pytest.mark.parametrize(("word", "meant"), [("mpl", "mlp"), ("ncn", "cnn"), ("adma", "adam")])
def test_letters_that_changed_places_are_found_in_short_words_too(word: str, meant: str) -> None:
    valid = ["adamax", "adam", "mlp", "cnn", "alexnet"]
    assert mistakes.nearest(word, valid, {}) == (meant, True)


def test_a_valid_word_is_nearest_to_itself_mistyped() -> None:
    assert mistakes.nearest("drop_out", ["dropout", "norm"], synonyms.KEY_SYNONYMS) == (
        "dropout",
        False,
    )


def test_places_that_hints_name_are_there() -> None:
    named = re.findall(
        r"\b(train|data|optimizer|model|regularize|loss|schedule)\.([a-z_]+[a-z0-9])",
        " ".join(synonyms.ELSEWHERE.values()),
    )
    assert len(named) > 20
    for section, key in set(named):
        assert f"{section}.{key}" in fields.sections_with(key, RunConfig), (section, key)


def test_where_a_key_belongs_is_known_without_importing_all_kinds() -> None:
    """What the sources say is what the classes say, for every field of every kind."""
    menus = [menu for menu, _ in MENUS.values()]
    for menu in menus:
        seen: set[str] = set()
        for kind in kinds_of(menu).values():
            seen |= set(kind.model_fields)
        for key in seen:
            having = {name for name, kind in kinds_of(menu).items() if key in kind.model_fields}
            assert set(kinds_having(menu, key)) == having, key
    command = [sys.executable, "-c", _IMPORTED]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "nnlab.parts.layers.attention" not in done.stdout, done.stdout
    assert "known are" in done.stdout


_IMPORTED = """
import subprocess
import sys
from nnlab.config.loading import load_config
try:
    load_config({"data": "xor", "model": "linear", "nonsense": 1})
except Exception as error:
    print(error, *sys.modules)
"""


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ({"kind": "lstm", "hidden_size": 8}, "hidden_size is called units here"),
        ({"kind": "lstm", "num_layers": 2}, "units or model.hidden is a list of sizes"),
        ({"kind": "gru", "batch_first": True}, "always examples, time, features"),
        ({"kind": "transformer", "d_model": 8}, "d_model is called width here"),
        ({"kind": "transformer", "nhead": 2}, "nhead is called heads here"),
        ({"kind": "transformer", "num_layers": 2}, "num_layers is called depth here"),
        ({"kind": "vit", "patch_size": 4}, "patch_size is called patch here"),
        ({"kind": "VisionTransformer"}, "'VisionTransformer' is called vit here"),
    ],
)
def test_words_for_sequences_are_known(model: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load_config({"data": "shakespeare", "model": model})
