import shlex

import pytest

from nnlab.__main__ import main
from nnlab.config.loading import load_config
from nnlab.config.words.synonyms import KEY_SYNONYMS
from nnlab.config.words.unknown_option import set_in_place_of

GIVEN = {
    "--epochs 3": "train.epochs=3",
    "--lr 0.1": "optimizer.lr=0.1",
    "--learning-rate=0.1": "optimizer.lr=0.1",
    "--batch-size 32": "train.batch_size=32",
    "--batch_size 32": "train.batch_size=32",
    "--num-epochs 7": "train.epochs=7",
    "--hidden [4,4]": "model.hidden=[4,4]",
    "--optimizer sgd": "optimizer=sgd",
    "--train.epochs 3": "train.epochs=3",
    "--seed 3": "seed=3",
    "--weight-decay 0.1": "optimizer.weight_decay=0.1",
    "--wd 0.1": "optimizer.weight_decay=0.1",
    "--hidden 4,4": "model.hidden=[4,4]",
    "-lr 0.1": "optimizer.lr=0.1",
    "-lr=0.1": "optimizer.lr=0.1",
    "-e 3": "train.epochs=3",
    "-b 32": "train.batch_size=32",
    "-b32": "train.batch_size=32",
    "-l2 0.1": "regularize.l2=0.1",
    "-s 3": "seed=3",
}


@pytest.mark.parametrize("words", GIVEN)
def test_names_the_set_that_does_it(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "xor", *words.split()]) == 2
    said = capsys.readouterr().err
    option = words.replace("=", " ").replace("-b32", "-b").split()[0]
    assert said.startswith(f"train {option}: is no option but a field of the config (--set ")
    setting = shlex.split(said.partition("(")[2].rstrip(")\n").split(";")[0])
    assert setting == ["--set", GIVEN[words]]


@pytest.mark.parametrize("words", GIVEN)
def test_what_it_advises_works(words: str) -> None:
    if "weight_decay" in GIVEN[words]:
        load_config("xor", ["optimizer=sgd", GIVEN[words]])
    else:
        load_config("xor", [GIVEN[words]])


@pytest.mark.parametrize("word", KEY_SYNONYMS)
def test_every_word_from_elsewhere_names_a_field_or_nothing(word: str) -> None:
    said = set_in_place_of("train", f"--{word}", ["train", "xor", f"--{word}", "1"])
    assert not said or "--set " in said


def test_without_a_value_it_is_left_open() -> None:
    assert "train.epochs=VALUE" in set_in_place_of("train", "--epochs", ["xor", "--epochs"])
    assert "train.epochs=VALUE" in set_in_place_of(
        "train", "--epochs", ["xor", "--epochs", "--quiet"]
    )


def test_another_unknown_option_is_answered_as_ever(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "xor", "--frobnicate", "3"]) == 2
    assert "No such option: --frobnicate" in capsys.readouterr().err
    assert main(["train", "xor", "-x", "3"]) == 2
    assert "No such option: -x" in capsys.readouterr().err


def test_a_command_without_set_does_not_name_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--epochs", "3"]) == 2
    assert "--set" not in capsys.readouterr().err
