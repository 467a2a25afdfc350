"""The language of comparisons: base, variants, seeds, expect."""

from pathlib import Path
from typing import Any

import pytest

from nnlab.comparison.comparison import Comparison, load_comparison, same_tag, settle_comparison
from nnlab.config.loading import Text, load_config, on_top
from nnlab.config.variants import parse_interval
from nnlab.core.contracts import Machine
from nnlab.core.errors import ConfigError

BASE = "data: moons\nmodel: {kind: mlp, hidden: [4]}\n"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def comparison(text: str, *sets: str) -> Comparison:
    return load_comparison(Text(BASE + text, "f.yaml", Path.cwd(), "f"), sets)


def refusal(text: str, *sets: str) -> list[str]:
    """The lines that refuse it; the text begins in line 3."""
    with pytest.raises(ConfigError) as caught:
        settle_comparison(comparison(text, *sets), Machine("cpu", 2))
    return list(caught.value.lines)


def test_a_config_without_these_keys_is_one_run() -> None:
    found = comparison("")
    assert not found.compares
    assert [member.name for member in found.members] == ["s0"]
    assert found.members[0].config.name == "f"


def test_each_variant_is_trained_with_each_seed() -> None:
    found = comparison("seeds: 2\nvariants: {a: {}, b: {model.activation: relu}}\n")
    assert [member.name for member in found.members] == ["a-s0", "a-s1", "b-s0", "b-s1"]
    assert [member.config.seed for member in found.members] == [0, 1, 0, 1]


def test_a_variant_changes_what_it_names_and_nothing_else() -> None:
    found = comparison("variants: {a: {}, b: {model.activation: relu, optimizer.lr: 0.5}}\n")
    a, b = (member.config for member in found.members)
    expected = load_config(
        Text(BASE, "f.yaml", Path.cwd(), "f"), ["model.activation=relu", "optimizer.lr=0.5"]
    )
    assert b == expected
    assert a == load_config(Text(BASE, "f.yaml", Path.cwd(), "f"))


def test_a_variant_may_give_a_section_that_the_file_leaves_out() -> None:
    text = Text("data: moons\nvariants: {a: {model: linear}}\n", "f.yaml", Path.cwd(), "f")
    assert load_comparison(text).members[0].config.model.kind == "linear"


def test_counted_seeds_begin_at_the_seed_of_the_file() -> None:
    assert [m.seed for m in comparison("seed: 7\nseeds: 3\n").members] == [7, 8, 9]
    assert [m.seed for m in comparison("seed: 7\nseeds: [5, 1]\n").members] == [5, 1]


def test_a_seed_of_one_purpose_stays() -> None:
    found = comparison("seed: {all: 3, init: 9}\nseeds: 2\n")
    assert [m.config.seed_of("init") for m in found.members] == [9, 9]
    assert [m.config.seed_of("order") for m in found.members] == [3, 4]


def test_set_has_the_last_word_in_every_variant() -> None:
    found = comparison("variants: {a: {optimizer.lr: 0.1}, b: {}}\n", "optimizer.lr=0.5", "seeds=2")
    assert [member.config.optimizer.lr for member in found.members] == [0.5] * 4


def test_the_whole_file_gives_the_same_comparison_again() -> None:
    found = comparison("seeds: 2\nvariants: {a: {optimizer.lr: 0.1}, b: {}}\n", "optimizer.lr=0.5")
    again = load_comparison(found.tree)
    assert [(m.name, m.config) for m in again.members] == [
        (m.name, m.config) for m in found.members
    ]


def test_a_command_that_needs_one_run_refuses_a_comparison() -> None:
    with pytest.raises(ConfigError, match=r"f.yaml:3:1: seeds: makes this a comparison") as caught:
        load_config(Text(BASE + "seeds: 2\n", "f.yaml", Path.cwd(), "f"))
    assert "(--set seeds=null leaves one)" in caught.value.lines[0]
    assert load_config(Text(BASE + "seeds: 2\n", "f.yaml", Path.cwd(), "f"), ["seeds=null"])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("varients: {a: {}}", "f.yaml:3:1: varients: unknown key (did you mean variants?)"),
        ("variants: {}", "f.yaml:3:11: variants: is empty (name one, or leave the key out)"),
        ("variants: {all: {}}", "f.yaml:3:12: variants.all: stands for every variant in expect"),
        ("variants: {a b: {}}", "f.yaml:3:12: variants.a b"),
        (
            "variants: {a: {model.activation: rellu}}",
            "f.yaml:3:34: model.activation: 'rellu' is not one of",
        ),
        (
            "variants: {a: {optimizer: {kind: sgd, lrr: 1}}}",
            "f.yaml:3:44: optimizer.lrr: unknown key (did you mean lr?)",
        ),
        ("variants: {a: {data.samples.x: 1}}", "f.yaml:3:32: data.samples: must be a whole number"),
        ("seeds: 0", "f.yaml:3:8: seeds: must be greater than 0"),
        ("seeds: [1, 1]", "f.yaml:3:8: seeds: names a seed twice"),
        ("seeds: many", "f.yaml:3:8: seeds: needs"),
        ("expect: {b: {loss/train: below 1}}", "f.yaml:3:10: expect.b: there is no variant b"),
        (
            "expect: {all over b: {loss/train: below 1}}",
            "f.yaml:3:10: expect.all over b: there is no variant b (there are all)",
        ),
        ("expect: {all: {loss/train: 1}}", "f.yaml:3:28: expect.all.loss/train: needs"),
        (
            "expect: {all: {loss/train: atleast 1}}",
            "f.yaml:3:28: expect.all.loss/train: needs such as 'at_least 0.95'",
        ),
        (
            "expect: {all: {acuracy/train: below 1}}",
            "f.yaml:3:16: expect.all.acuracy/train: is not read (did you mean accuracy/train?)",
        ),
        (
            "expect: {all: {first grad_norm/hiden1.weight: below 1}}",
            "f.yaml:3:16: expect.all.first grad_norm/hiden1.weight: is not read "
            "(did you mean grad_norm/hidden1.weight?)",
        ),
        (
            "expect: {all: {elbow: below 1}}",
            "f.yaml:3:16: expect.all.elbow: is not read (readings are loss/train",
        ),
        ("variants: [a, b]", "f.yaml:3:11: variants: must be a mapping, got a list"),
        ("expect: 4", "f.yaml:3:9: expect: must be a mapping, got 4"),
        (
            "expect: {all: {status: below 1}}",
            "f.yaml:3:24: expect.all.status: status cannot be below 1",
        ),
        ("base: nothing.yaml", "f.yaml:3:7: base: no such file or bundled config"),
        (
            "expect: {all: {loss/train: between 2 and 1}}",
            "f.yaml:3:28: expect.all.loss/train: no number is between 2 and 1 (write between 1 and "
            "2)",
        ),
    ],
)
def test_refuses_in_one_line(text: str, line: str) -> None:
    (found,) = refusal(text + "\n")
    assert found.startswith(line)


def test_mistakes_of_all_variants_are_told_at_once_and_each_once() -> None:
    found = refusal(
        "optimizer: {lr: -1, kind: adam}\nvariants: {a: {model: mlpp}, b: {model.kind: mlpq}}\n"
    )
    assert [line.split(": ")[0] for line in found] == ["f.yaml:3:17", "f.yaml:4:23", "f.yaml:4:46"]


def test_mistakes_of_variants_seeds_and_expectations_are_told_at_once() -> None:
    found = refusal(
        "seeds: [1, 1]\nvariants:\n  one: {}\n  two: {model.activation: rellu}\n  a b: {}\n"
        "expect:\n  one: {loss/train: atleast 1, accuracy/train: above 0}\n"
        "  ones: {loss/train: below 1}\n  a b: {loss/train: 3}\n"
    )
    assert [line.split(": ")[0] for line in found] == [
        *("f.yaml:3:8", "f.yaml:6:27", "f.yaml:7:3"),
        *("f.yaml:9:21", "f.yaml:10:3", "f.yaml:11:3", "f.yaml:11:21"),
    ]
    assert "(there are one, two, a b, all; did you mean one?)" in found[4]


def test_readings_that_do_not_exist_are_told_beside_what_does_not_fit() -> None:
    found = refusal(
        "variants: {a: {}, b: {model: linear, optimizer: lbfgs}}\n"
        "expect: {a: {loss/trian: below 1}, all: {status: above 1}, b: {loss/x: below 1}}\n"
    )
    assert [line.split(": ")[1] for line in found] == [
        *("train.batch_size", "expect.a.loss/trian", "expect.all.status"),
    ]


class TestBase:
    def write(self, name: str, text: str) -> None:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)

    def test_a_file_changes_what_it_says(self) -> None:
        self.write("low.yaml", BASE + "name: low\noptimizer: {kind: sgd, lr: 0.5, momentum: 0.9}\n")
        self.write("top.yaml", "base: low.yaml\noptimizer: {lr: 0.1}\n")
        config = load_config("top.yaml")
        assert config.optimizer.model_dump().items() >= {"lr": 0.1, "momentum": 0.9}.items()
        assert config.name == "top"

    def test_a_bundled_config_can_be_a_base(self) -> None:
        self.write("top.yaml", "base: digits_mlp\ntrain: {epochs: 1}\n")
        assert load_config("top.yaml").data.kind == "digits"

    def test_mistakes_are_told_where_they_are_written(self) -> None:
        self.write("low.yaml", BASE + "optimizer: {kind: sgd, lr: -1}\n")
        self.write("top.yaml", "base: low.yaml\ntrain: {epochs: -2}\n")
        with pytest.raises(ConfigError) as caught:
            load_config("top.yaml")
        assert [line.split(": ")[0] for line in caught.value.lines] == [
            "top.yaml:2:17",
            "low.yaml:3:28",
        ]

    def test_a_base_has_none_itself(self) -> None:
        self.write("low.yaml", "base: digits_mlp\n")
        self.write("top.yaml", "base: low.yaml\n")
        with pytest.raises(ConfigError, match=r"top.yaml:1:7: base: low.yaml has a base itself"):
            load_config("top.yaml")

    def test_paths_are_relative_to_the_file_that_says_them(self) -> None:
        self.write("sub/low.yaml", "data: {kind: csv, path: a.csv, target: y}\nmodel: linear\n")
        self.write("top.yaml", "base: sub/low.yaml\n")
        data: Any = load_config("top.yaml").data
        assert Path(data.path) == Path.cwd() / "sub" / "a.csv"

    def test_so_is_every_other_path_and_none_that_hangs_on_no_folder(self) -> None:
        self.write(
            "sub/low.yaml",
            "data: {kind: csv, path: ~/a.csv, target: y, exclude: out.txt}\n"
            "model: {kind: mlp, hidden: [2], from: {weights: w.safetensors}}\n",
        )
        self.write("top.yaml", "base: sub/low.yaml\n")
        found: Any = load_config("top.yaml")
        assert found.data.path == "~/a.csv"
        assert Path(found.data.exclude) == Path.cwd() / "sub" / "out.txt"
        assert Path(found.model.begin.weights) == Path.cwd() / "sub" / "w.safetensors"
        self.write("sub/low.yaml", "data: moons\nmodel: {kind: linear, from: w.safetensors}\n")
        begin: Any = load_config("top.yaml").model.begin
        assert Path(begin.weights) == Path.cwd() / "sub" / "w.safetensors"

    def test_a_mapping_from_python_has_a_base_as_a_file_has(self) -> None:
        self.write("low.yaml", "data: moons\nmodel: linear\noptimizer: {kind: sgd, lr: 0.5}\n")
        found = load_config({"base": "low.yaml", "seed": 3})
        assert (found.optimizer.lr, found.seed, found.base) == (0.5, 3, None)
        assert load_config({"seed": 3}, ["base=low.yaml"]) == found

    def test_a_base_whose_name_is_too_long_for_a_file_is_none(self) -> None:
        self.write("top.yaml", "data: moons\nmodel: linear\n")
        with pytest.raises(ConfigError, match=r"--set base=x+.*: base: "):
            load_config("top.yaml", [f"base={'x' * 300}"])


@pytest.mark.parametrize(
    ("below", "above", "found"),
    [
        ({"kind": "sgd", "lr": 1}, {"lr": 2}, {"kind": "sgd", "lr": 2}),
        ({"kind": "sgd", "lr": 1}, {"kind": "adam"}, {"kind": "adam"}),
        ({"kind": "sgd", "lr": 1}, "sgd", {"kind": "sgd", "lr": 1}),
        ({"kind": "sgd", "lr": 1}, "adam", "adam"),
        ("sgd", {"lr": 1}, {"kind": "sgd", "lr": 1}),
        ("sgd", {"kind": "adam"}, {"kind": "adam"}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
        ((1, 2), (3,), (3,)),
        ({"a": 1}, None, None),
    ],
)
def test_a_mapping_is_merged_unless_it_is_of_another_kind(
    below: Any, above: Any, found: Any
) -> None:
    assert on_top(below, above) == found


@pytest.mark.parametrize(
    ("bound", "inside", "outside"),
    [
        ("at_least 0.5", (0.5, 1e9), (0.4999, float("nan"))),
        ("at_most 1e-3", (1e-3, -5.0), (0.002, float("nan"))),
        ("above 0", (1e-300,), (0.0, -1.0, float("nan"))),
        ("below 1", (0.999,), (1.0, float("inf"))),
        ("between -1 and 2.5", (-1.0, 2.5), (2.6, -1.1)),
    ],
)
def test_a_bound_is_an_interval(
    bound: str, inside: tuple[float, ...], outside: tuple[float, ...]
) -> None:
    assert all(parse_interval(bound).holds(value) for value in inside)
    assert not any(parse_interval(bound).holds(value) for value in outside)


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        ("grad_norm/00_hidden1.weight", "grad_norm/hidden1.weight"),
        ("dead_units/00_hidden1", "dead_units/hidden1"),
        ("dead_units/total", "dead_units/total"),
        ("accuracy/validation", "accuracy/validation"),
    ],
)
def test_a_layer_is_meant_without_its_number_too(tag: str, written: str) -> None:
    assert same_tag(tag, written)
    assert same_tag(tag, tag)
    assert not same_tag(tag, "loss/train")


UNITS = """
data: digits
model: {kind: mlp, hidden: [4]}
train: {epochs: 1}
log: {probes: %s}
expect: {all: {dead_units/hidden1: at_most 1, dead_units/total: at_most 1}}
"""


def test_expects_what_the_probes_read_of_units() -> None:
    settle_comparison(
        load_comparison(Text(UNITS % "auto", "f.yaml", Path.cwd(), "f")), Machine("cpu", 1)
    )


def test_refuses_to_expect_of_units_what_no_probe_reads() -> None:
    comparison = load_comparison(Text(UNITS % "off", "f.yaml", Path.cwd(), "f"))
    with pytest.raises(ConfigError, match=r"dead_units/total: is not read"):
        settle_comparison(comparison, Machine("cpu", 1))
