import json
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks.networks import NETWORKS, torch_network

from nnlab.commands.bench import peers
from nnlab.commands.bench.process import Finished, run_to_end
from nnlab.commands.bench.work import Work, work_of
from nnlab.core.errors import ConfigError, ResourceError

FOLDER = Path(__file__).parents[2] / "benchmarks"


def said(**changes: Any) -> Finished:
    found = {"parameters": 13_002, "epochs": [2.5, 0.5], "first_step": 12.0, "versions": {}}
    text = "a warning on stdout\n" + json.dumps(found | changes) + "\n"
    return Finished(0, 10.0, 6.0, 1000, text, "")


@pytest.fixture(scope="module")
def mlp16() -> Work:
    return work_of(str(FOLDER / "mlp16.yaml"), ["train.epochs=2"])


@pytest.mark.parametrize("net", NETWORKS)
class TestEveryNetwork:
    def test_of_a_config_is_the_one_of_its_peers(self, net: str) -> None:
        work = work_of(str(FOLDER / f"{net}.yaml"), [])
        peers.check_same(work)
        theirs = [tuple(p.shape) for p in torch_network(net).parameters()]
        plans = work.experiment.design.plans
        ours = [shape for plan in plans for shape in plan.parameters.values()]
        assert ours == theirs
        assert work.experiment.design.parameters == NETWORKS[net].parameters
        assert sum(p.numel() for p in torch_network(net).parameters()) == NETWORKS[net].parameters

    def test_is_known_to_the_command(self, net: str) -> None:
        assert net in peers.NETS


def test_every_peer_has_its_script() -> None:
    assert all((peers.peers_folder() / peer.script).is_file() for peer in peers.PEERS.values())


def test_an_unknown_peer_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError) as told:
        peers.chosen_peers("hand-loop, kears-jax")
    assert str(told.value) == (
        "--against kears-jax: is not one of hand-loop, lightning, keras-jax, jax, sklearn "
        "(did you mean keras-jax?)"
    )


def test_peers_are_taken_once_and_in_order() -> None:
    assert peers.chosen_peers("jax,hand-loop, jax,") == ["jax", "hand-loop"]


def test_an_answer_is_the_last_line(mlp16: Work) -> None:
    assert peers.peer_answer("jax", said(), mlp16, mlp16.long)["epochs"] == [2.5, 0.5]


@pytest.mark.parametrize(
    ("done", "text"),
    [
        (said()._replace(out="nothing"), "cannot be read"),
        (said()._replace(out=""), "cannot be read"),
        (said(epochs=None), "cannot be read"),
        (said(epochs=[1.0]), "tells of 1 epochs, 2 were asked"),
        (said()._replace(code=1, err="a\nValueError: no\n\n"), "ended with 1: ValueError: no"),
    ],
    ids=["words", "empty", "null", "short", "failed"],
)
def test_an_answer_that_is_none_is_told(mlp16: Work, done: Finished, text: str) -> None:
    with pytest.raises(ResourceError, match=text):
        peers.peer_answer("jax", done, mlp16, mlp16.long)


def test_another_network_under_the_same_name_is_refused(mlp16: Work) -> None:
    with pytest.raises(ConfigError, match="jax trains 13,003 parameters, the config 13,002"):
        peers.peer_answer("jax", said(parameters=13_003), mlp16, mlp16.long)


@pytest.mark.parametrize(
    ("config", "overrides", "texts"),
    [
        ("mnist_mlp16", [], ["mnist_mlp16 has no peers", "tests/benchmarks/lenet.yaml"]),
        ("mlp", ["data.validation=5000"], ["55,000 training examples", "validation: none"]),
        ("mlp", ["optimizer=sgd"], ["sgd with lr"]),
        ("mlp", ["train.epochs=1"], ["at least 2"]),
        ("mlp", ["train.drop_last=true"], ["short last batch"]),
    ],
    ids=["name", "rows", "optimizer", "epochs", "drop_last"],
)
def test_work_that_no_peer_does_is_refused(
    config: str, overrides: list[str], texts: list[str]
) -> None:
    path = FOLDER / f"{config}.yaml"
    work = work_of(str(path) if path.exists() else config, overrides)
    with pytest.raises(ConfigError) as told:
        peers.check_same(work)
    assert all(text in str(told.value) for text in texts)


def test_what_is_not_installed_is_told_with_the_way_to_it(
    mlp16: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = peers.Peer("none.py", {"json": "json", "no_such_module": "no-such-package"})
    monkeypatch.setattr(peers, "PEERS", {"one": peer, "sklearn": peers.PEERS["sklearn"]})
    found = dict(peers.absent_peers(["one", "sklearn"], "lenet", sys.executable))
    assert found["one"].startswith("no-such-package not installed (")
    assert found["one"].endswith("-m pip install json no-such-package)")
    assert found["sklearn"] == "knows mlp16 and mlp only"


def test_an_interpreter_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="--peer-python /no/python: cannot be run"):
        dict(peers.absent_peers(["jax"], "mlp", "/no/python"))


def test_a_process_is_timed_and_its_memory_is_its_own() -> None:
    code = "import sys, time; x = bytearray(300_000_000); time.sleep(0.2); sys.exit(3)"
    done = run_to_end([sys.executable, "-c", code])
    assert done.code == 3
    assert 0.2 <= done.seconds < 60.0
    assert done.peak is None or 300e6 <= done.peak < 5e9


def test_imports_without_stored_bytecode_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "fresh_module.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(peers, "PEERS", {"one": peers.Peer("one.py", {"fresh_module": "fresh"})})
    (told,) = peers.without_bytecode(["one"], sys.executable)
    assert told.startswith("peers import fresh_module without stored bytecode: ")
