"""The peers: scripts of the repository that train the same networks with other libraries."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from nnlab.commands.bench.process import Finished, run_to_end
from nnlab.commands.bench.work import Length, Work
from nnlab.core.errors import ConfigError, ResourceError
from nnlab.core.package import FOLDER

DENSE = ("mlp16", "mlp")
NETS = (*DENSE, "lenet", "cnn")
_EXAMPLES = 60_000
LEARNING_RATE = 1e-3


class Peer(NamedTuple):
    """Another way to train the same.

    Attributes:
        script: in the folder of the peers.
        modules: name to import -> package to install.
        nets: that it can build.
    """

    script: str
    modules: Mapping[str, str]
    nets: tuple[str, ...] = NETS


PEERS: Mapping[str, Peer] = {
    "hand-loop": Peer("hand_loop.py", {"torch": "torch"}),
    "lightning": Peer("lightning_memory.py", {"lightning": "lightning"}),
    "keras-jax": Peer("keras_jax.py", {"keras": "keras", "jax": "jax"}),
    "jax": Peer("jax_scan.py", {"jax": "jax", "optax": "optax"}),
    "sklearn": Peer("sklearn_mlp.py", {"sklearn": "scikit-learn"}, DENSE),
}


def chosen_peers(against: str) -> list[str]:
    """The names of a list with commas, each once.

    Raises:
        ConfigError: one is no peer's.
    """
    names = list(dict.fromkeys(name.strip() for name in against.split(",") if name.strip()))
    for name in names:
        if name not in PEERS:
            near = get_close_matches(name, list(PEERS), n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            raise ConfigError(f"--against {name}: is not one of {', '.join(PEERS)}{hint}")
    return names


def peers_folder() -> Path:
    """Where the scripts are.

    Raises:
        ConfigError: this nnlab was installed without its repository.
    """
    found = FOLDER.parent / "tests" / "benchmarks"
    if not found.is_dir():
        text = "the peers are in tests/benchmarks of nnlab's repository, which is not here"
        raise ConfigError(f"--against: {text} (clone it and install it with pip install -e .)")
    return found


def check_same(work: Work) -> None:
    """Refuses a config whose work no peer does.

    Raises:
        ConfigError: with all that differs.
    """
    config, where = work.experiment.config, f"bench {work.source}"
    if work.name not in NETS:
        names = ", ".join(f"tests/benchmarks/{net}.yaml" for net in NETS)
        raise ConfigError(f"{where}: --against: {work.name} has no peers (those with: {names})")
    wrong: list[str] = []
    if config.data.kind != "mnist" or work.examples != _EXAMPLES:
        found = f"{config.data.kind} with {work.examples:,} training examples"
        wrong.append(f"{found}, peers train on all {_EXAMPLES:,} of mnist (data.validation: none)")
    if config.optimizer.kind != "adam" or config.optimizer.lr != LEARNING_RATE:
        wrong.append(f"{config.optimizer.kind} with lr {config.optimizer.lr:g}, peers Adam, 1e-3")
    if config.train.drop_last:
        wrong.append("train.drop_last, peers train on the short last batch")
    if work.long.unit != "epochs":
        wrong.append("peers count in epochs (train.epochs of at least 2)")
    if wrong:
        raise ConfigError([f"{where}: --against: {text}" for text in wrong])


def absent_peers(names: Sequence[str], net: str, python: str) -> Iterator[tuple[str, str]]:
    """Peers that cannot run here, each with the reason and the way out.

    Raises:
        ConfigError: the interpreter cannot be run.
    """
    missing = {module for module, cached in _found(names, python).items() if cached is None}
    for name in names:
        peer = PEERS[name]
        if net not in peer.nets:
            yield name, f"knows {' and '.join(peer.nets)} only"
        elif lacking := [package for module, package in peer.modules.items() if module in missing]:
            pip = f"{shlex.quote(python)} -m pip install {' '.join(peer.modules.values())}"
            yield name, f"{' and '.join(lacking)} not installed ({pip})"


def without_bytecode(names: Sequence[str], python: str) -> Iterator[str]:
    """Warnings: an import that is compiled anew each time takes several times as long."""
    bare = [module for module, cached in _found(names, python).items() if cached is False]
    if bare:
        way = f"{shlex.quote(python)} -m compileall -q FOLDER_OF_ITS_PACKAGES"
        yield (
            f"peers import {', '.join(bare)} without stored bytecode: their first steps come late, "
            f"and their commands take longer than they need ({way})"
        )


def _found(names: Sequence[str], python: str) -> dict[str, bool | None]:
    """Whether the bytecode of the peers' modules is stored; None for one that is not installed.

    Raises:
        ConfigError: the interpreter cannot be run.
    """
    modules = sorted({module for name in names for module in PEERS[name].modules})
    try:
        return json.loads(run_to_end([python, "-c", _LOOK, *modules]).out)
    except (OSError, ValueError) as error:
        raise ConfigError(f"--peer-python {python}: cannot be run: {error}") from None


_LOOK = """
import importlib.util, json, os, sys
specs = {name: importlib.util.find_spec(name) for name in sys.argv[1:]}
print(json.dumps({n: s and os.path.exists(s.cached or "") for n, s in specs.items()}))
"""


def peer_command(name: str, work: Work, length: Length, *, python: str, threads: int) -> list[str]:
    """The command line of a peer's run."""
    data = getattr(work.experiment.config.data, "root", None) or str(work.experiment.place.root)
    words = {
        "net": work.name,
        "batch": work.batch,
        "epochs": length.amount,
        "threads": threads,
        "data": data,
    }
    options = [f"--{key}={value}" for key, value in words.items()]
    return [python, str(peers_folder() / PEERS[name].script), *options]


def peer_answer(name: str, done: Finished, work: Work, length: Length) -> dict[str, Any]:
    """What a peer says of its run.

    Raises:
        ResourceError: it failed, or said nothing that can be read.
        ConfigError: it has trained another network.
    """
    if done.code != 0:
        raise ResourceError(f"{name}: ended with {done.code}: {done.last_line}")
    try:
        found: dict[str, Any] = json.loads(done.out.splitlines()[-1])
        parameters, epochs = int(found["parameters"]), list(map(float, found["epochs"]))
        float(found["first_step"])
    except (ValueError, LookupError, TypeError):
        raise ResourceError(f"{name}: its answer cannot be read: {done.out[:200]!r}") from None
    if parameters != work.experiment.design.parameters:
        ours = work.experiment.design.parameters
        text = f"trains {parameters:,} parameters, the config {ours:,}"
        raise ConfigError(f"bench {work.source}: {name} {text} (give it another name)")
    if len(epochs) != length.amount:
        raise ResourceError(f"{name}: tells of {len(epochs)} epochs, {length.amount} were asked")
    return found
