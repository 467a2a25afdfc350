"""JAX without a trainer: a whole epoch is one compiled `lax.scan` over its batches, with optax."""

# pyright: reportMissingImports=false, reportUntypedFunctionDecorator=false

from itertools import pairwise
from typing import Any

from jax_threads import limit
from networks import NETWORKS, Network
from task import LEARNING_RATE, Asked, Clock, Trained, answer, asked, mnist

Parameters = list[tuple[Any, Any]]


def initial(network: Network, key: Any) -> Parameters:
    """(weights, biases) of each layer; N(0, 1 / fan_in), biases 0."""
    import jax
    import jax.numpy as jnp

    shapes = [
        (conv.channels, channels, conv.kernel, conv.kernel)
        for (channels, _, _), conv in zip(network.grids(), network.convolutions, strict=False)
    ]
    widths = network.widths()
    fans = [shape[1] * shape[2] * shape[3] for shape in shapes] + widths[:-1]
    sizes = [shape[0] for shape in shapes] + widths[1:]
    shapes += list(pairwise(widths))
    keys = jax.random.split(key, len(shapes))
    return [
        (jax.random.normal(k, shape) / fan**0.5, jnp.zeros(size))
        for k, shape, fan, size in zip(keys, shapes, fans, sizes, strict=True)
    ]


def outputs(network: Network, parameters: Parameters, inputs: Any) -> Any:
    """Logits (N, 10) of inputs (N, 1, 28, 28)."""
    import jax
    from jax import lax

    activation = {"sigmoid": jax.nn.sigmoid, "relu": jax.nn.relu, "tanh": jax.numpy.tanh}
    act, count = activation[network.activation], len(network.convolutions)
    window = {"window_dimensions": (1, 1, 2, 2), "window_strides": (1, 1, 2, 2), "padding": "VALID"}
    for conv, (w, b) in zip(network.convolutions, parameters, strict=False):
        pad = [(conv.padding, conv.padding)] * 2
        found = lax.conv_general_dilated(inputs, w, (1, 1), pad)
        inputs = act(found + b[:, None, None])
        if network.pool == "max":
            inputs = lax.reduce_window(inputs, -float("inf"), lax.max, **window)
        else:
            inputs = lax.reduce_window(inputs, 0.0, lax.add, **window) / 4
    inputs = inputs.reshape(len(inputs), -1)
    for w, b in parameters[count:-1]:
        inputs = act(inputs @ w + b)
    w, b = parameters[-1]
    return inputs @ w + b


def train(asked: Asked) -> Trained:
    limit(asked.threads)
    import jax
    import jax.numpy as jnp
    import optax

    network, key = NETWORKS[asked.net], jax.random.key(0)
    inputs, targets = map(jnp.asarray, mnist(asked.data))
    rows, whole = len(targets), len(targets) // asked.batch * asked.batch
    adam = optax.adam(LEARNING_RATE)
    parameters = initial(network, key)
    state = adam.init(parameters)

    # The data are arguments: XLA would take arrays of the closure for constants, and fold them.
    def loss_of(parameters: Parameters, inputs: Any, targets: Any) -> Any:
        logits = outputs(network, parameters, inputs)
        return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()

    @jax.jit
    def epoch(parameters: Parameters, state: Any, key: Any, inputs: Any, targets: Any) -> Any:
        def step(carry: Any, batch: Any) -> Any:
            parameters, state = carry
            loss, gradient = jax.value_and_grad(loss_of)(parameters, inputs[batch], targets[batch])
            updates, state = adam.update(gradient, state, parameters)
            return (optax.apply_updates(parameters, updates), state), loss

        order = jax.random.permutation(key, rows)
        batches = order[:whole].reshape(-1, asked.batch)
        carry, losses = jax.lax.scan(step, (parameters, state), batches)
        if whole < rows:
            carry, _ = step(carry, order[whole:])
        return *carry, losses.mean()

    loss, clock = jnp.zeros(()), Clock()
    for number in range(asked.epochs):
        now = jax.random.fold_in(key, number)
        parameters, state, loss = epoch(parameters, state, now, inputs, targets)
        loss.block_until_ready()
        clock.lap()
    count = sum(part.size for layer in parameters for part in layer)
    return Trained(clock.first_step, clock.seconds, count, float(loss))


if __name__ == "__main__":
    answer(asked(), train, "jax", "optax")
