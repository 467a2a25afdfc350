"""Fills the cache of built steps for a config, without training it."""

import sys
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from nnlab.commands.bench.work import Work

OFF = "train.compile is off"


@dataclass(frozen=True, slots=True)
class StepBuild:
    """What is known of a compiled step.

    Attributes:
        compiled: whether there is one at all.
        why: without one, the reason.
        cached: whether it was there already.
        seconds: building it took, now or then.
        spent: seconds that all this took, with loading the data.
    """

    compiled: bool
    why: str = ""
    cached: bool = False
    seconds: float = 0.0
    spent: float = 0.0

    def plain(self) -> dict[str, Any]:
        """As `--json` prints it."""
        if not self.compiled:
            return {"compiled": False, "why": self.why}
        facts = {"cached": self.cached, "seconds": self.seconds, "spent": self.spent}
        return {"compiled": True, **facts}


def build_missing_step(work: Work) -> StepBuild:
    """Builds the step of a config where it is not built yet."""
    experiment = work.experiment
    if experiment.config.train.compile != "on":
        return StepBuild(False, OFF)
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
            return StepBuild(False, built.why_eager)
        prepare_step(built.step, built.trainer.order.batches(0)[0], note)
    found = compile_facts(built.step)
    if not found:
        return StepBuild(False, said[-1] if said else "it could not be built")
    return StepBuild(True, **found, spent=perf_counter() - began)


def build_sentence(build: StepBuild) -> str:
    """What was built, in a sentence."""
    if not build.compiled:
        return f"there is no compiled step: {build.why}"
    if build.cached:
        return f"the step was there, building it took {build.seconds:.1f} s"
    return f"the step is built, in {build.seconds:.1f} s"
