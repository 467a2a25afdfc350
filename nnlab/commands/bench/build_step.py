"""Fills the cache of built steps for a config, without training it."""

import sys
from time import perf_counter
from typing import Any

from nnlab.commands.bench.work import Work

OFF = "train.compile is off"


def build_missing_step(work: Work) -> dict[str, Any]:
    """Builds the step of a config where it is not built yet.

    Returns:
        {compiled, cached, seconds, spent}: whether there is a compiled step at all, whether it was
        there, what building it took now or then, and what all this took; without one, `why`.
    """
    experiment = work.experiment
    if experiment.config.train.compile != "on":
        return {"compiled": False, "why": OFF}
    from nnlab.runs.building.build import build_trainer
    from nnlab.runs.building.compiling import compile_facts, prepare_step
    from nnlab.training import device as devices

    began = perf_counter()
    device, _ = devices.choose_device("cpu")
    said: list[str] = []

    def note(text: str) -> None:
        said.append(text.partition("the steps are eager, ")[2])
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    with (
        devices.torch_settings(threads=work.threads, deterministic=False),
        devices.own_generator(device),
    ):
        examples = experiment.load()
        built = build_trainer(experiment, examples, device)
        if built.why_eager:
            return {"compiled": False, "why": built.why_eager}
        prepare_step(built.step, built.trainer.order.batches(0)[0], note)
    found = compile_facts(built.step)
    if not found:
        return {"compiled": False, "why": said[-1] if said else "it could not be built"}
    return {"compiled": True, **found, "spent": perf_counter() - began}


def build_sentence(filled: dict[str, Any]) -> str:
    """What was built, in a sentence."""
    if not filled["compiled"]:
        return f"there is no compiled step: {filled['why']}"
    if filled["cached"]:
        return f"the step was there, building it took {filled['seconds']:.1f} s"
    return f"the step is built, in {filled['seconds']:.1f} s"
