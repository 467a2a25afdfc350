"""Keras' `fit` on JAX, arrays in memory."""

# pyright: reportMissingImports=false, reportUntypedBaseClass=false

import os
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

from jax_threads import limit
from networks import CLASSES, NETWORKS
from task import LEARNING_RATE, Asked, Clock, Trained, answer, asked, mnist


def layers_of(net: str) -> list[Any]:
    from keras import layers

    network = NETWORKS[net]
    pool = {"max": layers.MaxPooling2D, "avg": layers.AveragePooling2D}[network.pool]
    found: list[Any] = [layers.Input((28, 28, 1))]
    for conv in network.convolutions:
        padding = "same" if conv.padding else "valid"
        made = layers.Conv2D(
            conv.channels, conv.kernel, padding=padding, activation=network.activation
        )
        found += [made, pool(2)]
    found.append(layers.Flatten())
    found += [layers.Dense(units, activation=network.activation) for units in network.dense]
    return [*found, layers.Dense(CLASSES)]


def train(asked: Asked) -> Trained:
    limit(asked.threads)
    import keras

    class Timer(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            self.clock = Clock()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.clock.lap()

    keras.utils.set_random_seed(0)
    inputs, targets = mnist(asked.data)
    model, timer = keras.Sequential(layers_of(asked.net)), Timer()
    model.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    # Its channels come last; there is one.
    history = model.fit(
        inputs.reshape(-1, 28, 28, 1),
        targets,
        batch_size=asked.batch,
        epochs=asked.epochs,
        verbose=0,
        callbacks=[timer],
    )
    loss = float(history.history["loss"][-1])
    return Trained(timer.clock.first_step, timer.clock.seconds, model.count_params(), loss)


if __name__ == "__main__":
    answer(asked(), train, "keras", "jax")
