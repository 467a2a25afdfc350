"""A server that runs commands, each in a child of its own.

It has imported what they need and has never computed: a child begins in milliseconds, where the
command takes seconds to import torch. A fork of a process whose OpenMP threads have computed would
wait for them for ever, so tests never fork themselves; they ask this server, a job a line.
"""

import gc
import importlib
import json
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Any

_IMPORTED = (
    "google.protobuf.struct_pb2",
    "nnlab.api",
    "nnlab.cli",
    "nnlab.commands.check",
    "nnlab.commands.train",
    "nnlab.comparison.comparison",
    "nnlab.display.tensorboard.events",
    "nnlab.models.by_name",
    "nnlab.models.mlp",
    "nnlab.parts.datasets.downloads.named",
    "nnlab.parts.datasets.synthetic.points",
    "nnlab.parts.losses.classes",
    "nnlab.parts.losses.regression",
    "nnlab.parts.scores.classes",
    "nnlab.runs.run",
    "numpy.ma",
    "numpy.random",
    "platformdirs",
    "ruamel.yaml",
    "safetensors.torch",
    "tensorboard.compat.proto.event_pb2",
    "tensorboard.plugins.hparams.plugin_data_pb2",
    "torch.nested._internal.nested_tensor",
)
"""What training a small network imports, where it does so behind its first lines."""


def serve() -> None:
    """Runs jobs until nobody asks any more."""
    for name in _IMPORTED:
        importlib.import_module(name)
    # A config is settled once here, which computes nothing and makes pydantic's validators.
    from nnlab.experiment.handed import experiment_of

    experiment_of({"data": "moons", "model": {"kind": "mlp", "hidden": [2]}}, ())
    # What there is stays, and no child need look through it.
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for pytest, which then ends us
    for line in sys.stdin:
        job = json.loads(line)
        child = os.fork()
        if child == 0:
            _work(job)
        print(json.dumps(_code_of(child, job)), flush=True)  # noqa: T201


def _code_of(child: int, job: dict[str, Any]) -> int | None:
    """The exit code of a child, less than 0 for a signal; None where it hung and was killed."""
    passed, looked = 0.0, time.monotonic()
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        now = time.monotonic()
        # While both are stopped (a machine asleep, SIGSTOP to the group) no time passes for either.
        passed, looked = passed + min(now - looked, 1.0), now
        if passed > job["limit"] or (job["kill_after"] is not None and passed > job["kill_after"]):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None if passed > job["limit"] else -signal.SIGKILL
        time.sleep(0.002)


def _work(job: dict[str, Any]) -> None:
    """Runs a command in this process, which ends with it."""
    code = 1
    try:
        handle = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdin = open(os.devnull)  # noqa: SIM115, PTH123
        sys.stdout, sys.stderr = (os.fdopen(os.dup(number), "w") for number in (1, 2))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.update(job["environment"])
        os.chdir(job["folder"])
        if job["sync"] is False:
            os.fsync = lambda _: None
        for name, arguments in job["before"]:
            module, _, function = name.partition(":")
            getattr(importlib.import_module(module), function)(*arguments)
        from nnlab.__main__ import main

        code = main(job["words"])
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    serve()
