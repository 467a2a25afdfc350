"""The language as values: round trips, seeds, durations, `--set`."""

from itertools import permutations
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import TypeAdapter, ValidationError

from nnlab.config.loading import Text, load_config, place_for
from nnlab.config.overrides import STEMS
from nnlab.config.run_config import RunConfig, dump_config, to_plain
from nnlab.config.sections import LENGTHS, EarlyStoppingConfig, TrainConfig
from nnlab.core.contracts import Machine
from nnlab.core.durations import Duration
from nnlab.core.kinds import Kind, kinds_of
from nnlab.experiment.experiment import Experiment
from nnlab.experiment.settle import settle
from nnlab.models import Model
from nnlab.parts.layers import AnyLayer
from nnlab.parts.layers.family import LayerConfig, name_layers

HERE = Path(__file__).parent
BASE = "data: digits\nmodel: {kind: mlp, hidden: [16]}\n"
CONFIGS = {
    "the shortest": "data: digits\nmodel: linear\n",
    "an mlp": """
data: iris
model: {kind: mlp, hidden: {width: 7, depth: 3}, activation: tanh, norm: batch}
""",
    "a cnn": """
data: {kind: digits, augment: [shift]}
model: {kind: cnn, channels: [2], dense: []}
""",
    "a stack": """
data: digits
model:
  kind: stack
  activation: {kind: leaky_relu, slope: 0.2}
  norm: layer
  dropout: 0.1
  layers:
    - {kind: conv, channels: 4, kernel: [3, 1], padding: 1, init: orthogonal}
    - {kind: residual, layers: [{kind: conv, channels: 6, stride: 2, padding: 1}], norm: batch}
    - {kind: activation, function: prelu}
    - global_pool
    - {kind: linear, units: 5, bias: false, dropout: 0.0}
""",
    "xor": """
data: xor
model: {kind: mlp, hidden: [2]}
loss: bce
train: {epochs: 3, batch_size: full}
""",
    "numbers": """
data: diabetes
model: linear
loss: {kind: huber, delta: 1e-30}
optimizer: {kind: adam, lr: 1e+22, eps: 0.1}
""",
    "durations": """
data: moons
model: linear
schedule: {kind: cosine, warmup: 10%}
train: {steps: 90, early_stopping: {patience: 0.5}}
log: {every: 7 steps}
""",
    "a bare patience": "data: moons\nmodel: linear\ntrain: {early_stopping: 10%}\n",
    "minutes": "data: moons\nmodel: linear\ntrain: {minutes: 1.5}\n",
    "steps": "data: moons\nmodel: linear\nschedule: {kind: steps, at: [1, 20 steps, 50%]}\n",
    "every seed": "data: blobs\nmodel: linear\nseed: {all: 3, init: 0, order: 4294967295}\n",
    "off": "data: blobs\nmodel: linear\ntrain: {compile: off}\n",
    "a name like null": "name: 'null'\ndata: blobs\nmodel: linear\n",
    "a name of digits": "name: '0123'\ndata: blobs\nmodel: linear\n",
    "a name of a number": "name: '1e3'\ndata: blobs\nmodel: linear\n",
    "a name like YAML 1.1's": "name: 'yes'\ndata: blobs\nmodel: linear\n",
    "no splits": """
data: {kind: blobs, validation: none, test: none, limit: {first: 50}}
model: linear
""",
    "regularized": """
data: wine
model: linear
regularize: {l1: 1e-4, per: dataset}
scores: [error_rate]
""",
}


def load(text: str, *sets: str) -> RunConfig:
    return load_config(Text(text, "f.yaml", HERE, "f"), sets)


def settled(config: RunConfig, cores: int = 2) -> Experiment:
    return settle(config, place_for(HERE), Machine("cpu", cores))


@pytest.mark.parametrize("text", CONFIGS.values(), ids=CONFIGS)
class TestRoundTrip:
    def test_what_is_written_reads_back_as_the_same(self, text: str) -> None:
        config = load(text)
        assert load(dump_config(config)) == config

    def test_what_is_read_back_is_written_as_the_same_text(self, text: str) -> None:
        written = dump_config(load(text))
        assert dump_config(load(written)) == written

    def test_a_settled_config_settles_to_the_same_text(self, text: str) -> None:
        written = dump_config(settled(load(text)).config)
        assert dump_config(settled(load(written)).config) == written

    def test_a_settled_config_means_the_same_on_another_machine(self, text: str) -> None:
        written = dump_config(settled(load(text)).config)
        assert dump_config(settled(load(written), cores=64).config) == written

    def test_a_settled_config_builds_the_same_network(self, text: str) -> None:
        first = settled(load(text))
        second = settled(load(dump_config(first.config)))
        assert [(p.name, p.parameters, p.output) for p in first.design.plans] == [
            (p.name, p.parameters, p.output) for p in second.design.plans
        ]

    def test_nothing_is_left_to_decide(self, text: str) -> None:
        assert "auto" not in words(to_plain(settled(load(text)).config))

    def test_a_mapping_says_the_same_as_the_file(self, text: str) -> None:
        config = load(text)
        assert load_config(to_plain(config)) == config


def words(tree: Any) -> set[str]:
    if isinstance(tree, dict):
        # A residual block finds its own way around: `auto` is its word for that.
        inner = {k: v for k, v in cast("dict[str, Any]", tree).items() if k != "skip"}
        return {word for value in inner.values() for word in words(value)}
    if isinstance(tree, list):
        return {word for value in cast("list[Any]", tree) for word in words(value)}
    return {tree} if isinstance(tree, str) else set()


def test_a_config_without_a_name_has_the_name_of_its_file() -> None:
    assert load_config(Text(BASE, "x", HERE, "-my net (2).v1")).name == "my-net--2-.v1"


def test_a_config_is_not_read_twice() -> None:
    config = load(BASE)
    assert load_config(config) is config


def test_a_seed_stands_for_every_purpose() -> None:
    assert load(BASE + "seed: 7\n").seed_of("init") == 7


def test_a_purpose_has_a_seed_of_its_own() -> None:
    config = load(BASE + "seed: {all: 7, order: 0}\n")
    assert [config.seed_of(p) for p in ("init", "order", "augment", "dropout")] == [7, 0, 7, 7]


def test_how_many_epochs_is_decided_where_the_data_are_known() -> None:
    assert load(BASE).train.epochs == "auto"


@pytest.mark.parametrize("given", ["steps: 5", "minutes: 5"])
def test_another_length_leaves_no_epochs(given: str) -> None:
    assert load(BASE + f"train: {{{given}}}\n").train.epochs is None


def test_a_config_in_python_obeys_the_same_rules() -> None:
    with pytest.raises(ValidationError, match="exactly one"):
        TrainConfig(epochs=1, steps=2)


class TestDurations:
    READ: Any = TypeAdapter(Duration)

    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            (3, Duration(3)),
            (0.5, Duration(0.5)),
            ("3", None),
            ("500 steps", Duration(500, "steps")),
            ("1 step", Duration(1, "steps")),
            ("500steps", Duration(500, "steps")),
            ("10%", Duration(10, "%")),
            ("2.5 %", Duration(2.5, "%")),
            ("100%", Duration(100, "%")),
            ("101%", None),
            ("5 min", None),
            ("5 minutes", None),
            ("1 minute", None),
            ("2 epochs", Duration(2)),
            (" 2 epochs ", Duration(2)),
            (-1, None),
            ("-1 steps", None),
            (True, None),
            (None, None),
            (float("nan"), None),
            (float("inf"), None),
            (1e12, None),
            ("9" * 400 + " steps", None),
            ("3 hours", None),
            ("steps", None),
            ("", None),
        ],
    )
    def test_are_read_from_numbers_and_words(self, written: object, meant: Duration | None) -> None:
        if meant is None:
            with pytest.raises(ValidationError):
                self.READ.validate_python(written)
        else:
            assert self.READ.validate_python(written) == meant

    @pytest.mark.parametrize("text", ["3", "0.5", "500 steps", "10%", "2.5%", "0.00001%"])
    def test_are_written_as_they_are_read(self, text: str) -> None:
        value = float(text) if text[-1].isdigit() else text
        duration = self.READ.validate_python(value)
        assert str(duration.plain()) == text
        assert self.READ.validate_python(duration.plain()) == duration

    @pytest.mark.parametrize(
        ("text", "steps"), [(2, 20), (0.25, 2), ("7 steps", 7), ("10%", 5), ("100%", 50)]
    )
    def test_are_counted_in_steps(self, text: object, steps: int) -> None:
        assert Duration.parse(text).steps(per_epoch=10, total=50) == steps

    def test_that_need_the_unknown_end_are_refused(self) -> None:
        with pytest.raises(ValueError, match="cannot be said in steps"):
            Duration.parse("10%").steps(per_epoch=10, total=None)

    @pytest.mark.parametrize("text", ["5 min", "30 seconds", "2 h"])
    def test_by_the_clock_are_refused_with_what_can_be(self, text: str) -> None:
        with pytest.raises(ValidationError, match=r"as train\.minutes"):
            self.READ.validate_python(text)


class TestSet:
    @pytest.mark.parametrize(("name", "gone"), [*permutations(LENGTHS, 2)])
    def test_a_length_that_is_taken_away_takes_no_other_with_it(self, name: str, gone: str) -> None:
        value = {"epochs": 4, "steps": 70, "minutes": 1.0}[name]
        sets = [f"train.{name}={value}", f"train.{gone}=null"]
        for order in (sets, sets[::-1]):
            train = load(BASE + "train: {batch_size: 8}\n", *order).train
            assert {key: getattr(train, key) for key in LENGTHS} == {
                **dict.fromkeys(LENGTHS), name: value,
            }  # fmt: skip
        train = load(f"{BASE}train: {{{name}: {value}}}\n", f"train.{gone}=null").train
        assert getattr(train, name) == value
        assert train.epochs == (value if name == "epochs" else None)

    def test_changes_one_field(self) -> None:
        config = load(BASE + "optimizer: {kind: sgd, lr: 0.1, momentum: 0.9}\n", "optimizer.lr=0.5")
        assert to_plain(config.optimizer)["lr"] == 0.5
        assert to_plain(config.optimizer)["momentum"] == 0.9

    def test_replaces_a_section_by_a_bare_name(self) -> None:
        config = load(BASE + "optimizer: {kind: adam, lr: 5}\n", "optimizer=sgd")
        assert to_plain(config.optimizer)["lr"] == 0.01

    def test_goes_into_a_bare_name(self) -> None:
        config = load(BASE + "optimizer: sgd\n", "optimizer.momentum=0.5")
        assert to_plain(config.optimizer)["momentum"] == 0.5

    def test_goes_into_a_section_that_is_not_written(self) -> None:
        assert load(BASE, "optimizer.lr=0.5").optimizer.lr == 0.5
        assert load(BASE, "regularize.l2=0.5").regularize.l2 == 0.5

    def test_goes_into_a_value_that_is_auto(self) -> None:
        assert load(BASE + "loss: auto\n", "loss.kind=mse").loss == load(BASE + "loss: mse\n").loss

    def test_reads_the_value_as_yaml(self) -> None:
        assert load(BASE, "train={epochs: 3, batch_size: full}").train.batch_size == "full"

    def test_keeps_what_stands_behind_the_first_equals_sign(self) -> None:
        text = "data: {kind: csv, path: a.csv, target: y}\nmodel: linear\n"
        assert to_plain(load(text, "data.path=x=1/b = c.csv").data)["path"] == "x=1/b = c.csv"

    def test_carries_overrides_out_in_order(self) -> None:
        config = load(BASE, "optimizer=sgd", "optimizer.lr=3", "optimizer.lr=4")
        assert to_plain(config.optimizer) == to_plain(
            load(BASE + "optimizer: {kind: sgd, lr: 4}\n").optimizer
        )

    @pytest.mark.parametrize("length", ["steps=5", "minutes=5", "epochs=5"])
    def test_replaces_the_length_of_the_run(self, length: str) -> None:
        train = load(BASE + "train: {epochs: 3, batch_size: 8}\n", f"train.{length}").train
        name, _, value = length.partition("=")
        assert [n for n in ("epochs", "steps", "minutes") if getattr(train, n)] == [name]
        assert getattr(train, name) == int(value)
        assert train.batch_size == 8

    def test_leaves_the_config_of_before_alone(self) -> None:
        tree = {"data": "digits", "model": {"kind": "mlp", "hidden": [16]}}
        load_config(tree, ["model.hidden.0=3"])
        assert tree == {"data": "digits", "model": {"kind": "mlp", "hidden": [16]}}

    def test_changes_an_entry_of_a_list(self) -> None:
        assert to_plain(load(BASE, "model.hidden.0=3").model)["hidden"] == [3]

    def test_finds_layers_by_the_names_of_the_network(self) -> None:
        # Every kind of layer twice, so that the numbers count too.
        layers = tuple(kind.example() for kind in kinds_of(AnyLayer).values()) * 2
        names = [placed.name for placed in name_layers(cast("Any", layers), ((),) * len(layers))]
        tree = {
            "data": "digits",
            "model": {"kind": "stack", "layers": [to_plain(x) for x in layers]},
        }
        for index, name in enumerate(names):
            config = load_config(tree, [f"model.layers.{name}=flatten"])
            kinds = [layer["kind"] for layer in to_plain(config.model)["layers"]]
            assert kinds[index] == "flatten"
            assert [k for i, k in enumerate(kinds) if i != index] == [
                layer.kind for i, layer in enumerate(layers) if i != index
            ]

    @pytest.mark.parametrize("kind", kinds_of(AnyLayer).values(), ids=kinds_of(AnyLayer))
    def test_calls_a_layer_what_the_layer_calls_itself(self, kind: type[LayerConfig]) -> None:
        assert STEMS.get(kind.name(), kind.name()) == kind.example().stem

    def test_reaches_a_layer_inside_a_block(self) -> None:
        block = "{kind: residual, layers: [{kind: conv, channels: 1, padding: same}]}"
        text = f"data: digits\nmodel: {{kind: stack, layers: [{block}, flatten]}}\n"
        config = load(text, "model.layers.block1.layers.conv1.kernel=5")
        assert to_plain(config.model)["layers"][0]["layers"][0]["kernel"] == 5


@pytest.mark.parametrize("kind", kinds_of(Model).values(), ids=kinds_of(Model))
def test_every_model_can_be_built_from_an_example(kind: type[Kind]) -> None:
    assert kind.example().kind == kind.name()


@pytest.mark.parametrize("value", ["5", "10%", "40 steps"])
def test_a_bare_patience_is_the_patience(value: str) -> None:
    text = "data: moons\nmodel: linear\n"
    short = load(text, f"train.early_stopping={value}").train.stopping
    assert short == load(text, f"train.early_stopping={{patience: {value}}}").train.stopping
    assert load(text).train.stopping is None


def test_a_value_that_stands_for_a_section_can_be_changed_in_part() -> None:
    text = "data: moons\nmodel: linear\nseed: 3\ntrain: {early_stopping: 10%}\n"
    config = load(text, "seed.init=1", "train.early_stopping.min_delta=0.5")
    assert config.train.stopping == EarlyStoppingConfig(patience=Duration(10, "%"), min_delta=0.5)
    assert (config.seed_of("init"), config.seed_of("order")) == (1, 3)
