"""Which runs get a compiled step, and what one is made from."""

import json
import os
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from nnlab.config.outside import plugin_code
from nnlab.config.run_config import RunConfig
from nnlab.core.contracts import Examples
from nnlab.core.package import FOLDER
from nnlab.core.signals import CutShort
from nnlab.experiment.experiment import Experiment
from nnlab.parts.optimizers.family import At, OptimizerConfig
from nnlab.training.eager_step import EagerStep
from nnlab.training.step import Step

# What neither the graph nor its constants depend on; all else in a config names another recipe.
FREE = ("name", "seed", "schedule", "log", "diagnose", "optimizer.lr", "data.root")
FREE_IN_TRAIN = ("epochs", "steps", "minutes", "monitor", "early_stopping", "sampling", "drop_last")


def compile_step(
    experiment: Experiment, examples: Examples, step: Step, device: torch.device
) -> tuple[Step, str]:
    """The step, compiled where the config asks for it; else why it is not."""
    config = experiment.config
    if config.train.compile != "on":
        return step, ""
    if why := unfit(experiment, step, device):
        return step, why
    assert isinstance(step, EagerStep)
    optimizer = config.optimizer

    def updated(
        w: Tensor,
        g: Tensor,
        state: Any,
        lr: Tensor,
        decay: float | Tensor,
        own: Sequence[Tensor],
    ) -> tuple[Tensor, dict[str, Tensor]]:
        found = optimizer.tuned_by(own).updated(At(w, g, state, lr, decay))
        assert found is not None
        return found

    numbers = optimizer.tuned_numbers()

    # A GPU waits for launches, which a graph of torch's own kernels saves without a compiler.
    if device.type == "cuda":
        from nnlab.training.compiled.captured import CapturedStep

        captured = CapturedStep(
            step, updated=updated, numbers=numbers, batch_size=experiment.batch_size
        )
        return captured, ""
    # Here, not at the head: most short runs are eager, and start without what builds steps.
    from nnlab.training.compiled.cache import StepCache
    from nnlab.training.compiled.step import CompiledStep

    made = CompiledStep(
        step,
        updated=updated,
        numbers=numbers,
        batch_size=experiment.batch_size,
        threads=experiment.threads,
        recipe=recipe(experiment, examples, experiment.threads),
        cache=StepCache(_folder()),
    )
    return made, ""


def unfit(experiment: Experiment, step: Step, device: torch.device) -> str:
    """Why there is no compiled step for a run; the empty word if there is one."""
    config = experiment.config
    if handed := set(config.replaced) - {"data"}:
        return f"what a {' or '.join(sorted(handed))} of your own does cannot be recorded for sure"
    if plugin_code(config) is None:
        return "the code of a registered class is in no file, so that a change would go unseen"
    if config.train.unfreeze:
        return "layers are unfrozen on the way, and what is recorded trains the same ones always"
    if config.optimizer.closure:
        return f"{config.optimizer.kind} evaluates the loss several times in an update"
    if type(config.optimizer).updated is OptimizerConfig.updated:
        return f"{config.optimizer.kind} has no formula of its update (OptimizerConfig.updated)"
    if not isinstance(step, EagerStep):
        return f"rule {config.rule.kind} has no gradient"
    if device.type not in ("cpu", "cuda"):
        return f"there is no compiled step for {device.type}"
    if config.train.precision == "fp16":
        return "the loss scale of fp16 is read back at every step"
    return ""


def _folder() -> Path:
    """Where built steps are kept: `NNLAB_CACHE`, else the user's cache folder."""
    from platformdirs import user_cache_path

    named = os.environ.get("NNLAB_CACHE")
    return (Path(named) if named else user_cache_path("nnlab", appauthor=False)) / "steps"


STEP_ROOMS = ("core", "training", "parts", "models", "rules", "runs/building")
"""The folders of the package whose code decides what is recorded and compiled."""


def recipe(experiment: Experiment, examples: Examples, threads: int) -> str:
    """A name for all that decides what is recorded: config, data, the code that records it."""
    from nnlab.training.compiled.building import build_surroundings

    config = experiment.config
    tree = config.model_dump(mode="json")
    tree["train"] = {k: v for k, v in tree["train"].items() if k not in FREE_IN_TRAIN}
    _leave_numbers_out(tree, config)
    for name in FREE:
        section, _, field = name.partition(".")
        (tree[section].pop(field, None) if field else tree.pop(section, None))
    made_from = {
        "config": tree,
        "data": examples.digest,
        "code": code_digest(),
        "plugins": plugin_code(config),
        "surroundings": build_surroundings(threads),
    }
    return sha256(json.dumps(made_from, sort_keys=True, default=str).encode()).hexdigest()


def _leave_numbers_out(tree: dict[str, Any], config: RunConfig) -> None:
    """Hyperparameters that a step takes as inputs: whether they are 0 is all the graph knows."""
    optimizer, loss = config.optimizer, config.loss
    names = [("optimizer", name) for name in optimizer.tuned]
    names += [("train", "clip_norm"), ("regularize", "l2"), ("regularize", "l1")]
    if not isinstance(loss, str):
        names += [("loss", name) for name in loss.tuned]
    # Which parameters share a group may hang on which decays are equal.
    if not tree["optimizer"].get("groups"):
        names.append(("optimizer", "weight_decay"))
    for section, name in names:
        value = tree.get(section, {}).get(name)
        if value is not None:
            tree[section][name] = (
                [bool(n) for n in value] if isinstance(value, list) else bool(value)
            )


@cache
def code_digest() -> str:
    """The sum of nnlab's own source files, as far as they decide what a step does.

    Not of all: another style sheet must not throw away what took half a minute to build.
    """
    digest = sha256()
    for path in sorted(path for room in STEP_ROOMS for path in (FOLDER / room).rglob("*.py")):
        digest.update(str(path.relative_to(FOLDER)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def compile_facts(step: Step) -> dict[str, Any]:
    """Of a compiled step that is ready {cached, seconds}, as `Summary` holds them; else {}."""
    if isinstance(step, EagerStep):
        return {}
    from nnlab.training.compiled.step import CompiledStep

    if not isinstance(step, CompiledStep) or step.built is None:
        return {}
    return {"cached": step.cached, "seconds": step.built.seconds}


@runtime_checkable
class Preparing(Protocol):
    """A step that is made ready before the first update."""

    def prepare(self, rows: Tensor, note: Callable[[str], None]) -> None:
        """`rows`: at least a batch of training rows; `note` shows a sentence."""
        ...


def prepare_step(step: Step, rows: Tensor, note: Callable[[str], None]) -> None:
    """Gets a compiled step ready; any other is. A signal to a run leaves it eager, for the end."""
    try:
        if isinstance(step, Preparing):
            step.prepare(rows, note)
    except CutShort:
        note("compile: the build was stopped and nothing of it is kept, resuming begins it anew")
    except (KeyboardInterrupt, SystemExit):
        note("compile: the build was stopped and nothing of it is kept")
        raise
