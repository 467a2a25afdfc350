"""Keras' `fit` on JAX with recurrent layers: the work of `recurrent.py` and of `characters.py`.

`python tests/benchmarks/keras_recurrent.py gru 20` prints microseconds of an update, the least, the
median and the greatest of the blocks, and the peak memory; `... characters FILE.npz` trains on
characters. One thread, beside that of Python; what is compiled is compiled before the clock starts.
"""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false

import json
import os
import resource
import sys
from statistics import median
from time import perf_counter
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import numpy as np
from characters import CLIP, DECAY, EMBED, RATE, UNITS, WARMUP
from jax_threads import limit

BATCH, WIDTH, BLOCKS, UPDATES = 32, 64, 15, 40


def measure(kind: str, steps: int) -> dict[str, Any]:
    """An update on 32 sequences of two numbers a step, as `recurrent.py` makes it by hand."""
    import keras

    kinds = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}
    layer = kinds[kind]
    net = keras.Sequential([keras.layers.Input((steps, 2)), layer(WIDTH), keras.layers.Dense(1)])
    net.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
    rng = np.random.default_rng(0)
    inputs = rng.random((BATCH * UPDATES, steps, 2), dtype=np.float32)
    targets = rng.random((BATCH * UPDATES, 1), dtype=np.float32)
    found = list[float]()
    for _ in range(BLOCKS):
        began = perf_counter()
        net.fit(inputs, targets, batch_size=BATCH, epochs=1, verbose=0)
        found.append(1e6 * (perf_counter() - began) / UPDATES)
    return {
        **{"least": min(found[1:]), "median": median(found[1:]), "greatest": max(found[1:])},
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "keras": keras.__version__,
    }


def train_characters(path: str) -> dict[str, Any]:
    """The same windows in the same batches as nnlab's."""
    import keras

    keras.utils.set_random_seed(0)
    held = np.load(path)
    inputs, targets = held["inputs"].astype(np.int32), held["targets"].astype(np.int32)
    rows, tokens = held["batches"], int(held["inputs"].max()) + 1
    net = keras.Sequential(
        [
            keras.layers.Input((inputs.shape[1],), dtype="int32"),
            keras.layers.Embedding(tokens, EMBED),
            keras.layers.GRU(UNITS, return_sequences=True),
            keras.layers.Dense(tokens),
        ]
    )
    steps = len(rows)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - round(WARMUP * steps), warmup_target=RATE, warmup_steps=round(WARMUP * steps)
    )
    net.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=DECAY, global_clipnorm=CLIP),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    first = rows[0]
    state = net.get_weights()
    net.fit(inputs[first], targets[first], batch_size=len(first), verbose=0)
    net.set_weights(state)
    for variable in net.optimizer.variables:
        variable.assign(np.zeros(variable.shape, variable.dtype))
    order = rows.reshape(-1)
    seen, told = inputs[order], targets[order]
    began = perf_counter()
    net.fit(seen, told, batch_size=rows.shape[1], shuffle=False, verbose=0)
    seconds = perf_counter() - began
    losses = {
        split: float(net.evaluate(inputs[held[split]], targets[held[split]], verbose=0))
        for split in ("validation", "test")
    }
    return {"updates": steps, "seconds": seconds, **losses, "keras": keras.__version__}


if __name__ == "__main__":
    limit(1)
    work, what = sys.argv[1:3]
    told = train_characters(what) if work == "characters" else measure(work, int(what))
    print(json.dumps(told))  # noqa: T201
