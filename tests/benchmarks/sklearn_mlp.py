"""scikit-learn's MLPClassifier, which knows networks of dense layers alone."""

import io
import warnings
from contextlib import redirect_stdout

from networks import NETWORKS
from sklearn.neural_network import MLPClassifier
from task import LEARNING_RATE, Asked, Clock, Trained, answer, asked, mnist
from threadpoolctl import threadpool_limits

ACTIVATIONS = {"sigmoid": "logistic", "relu": "relu", "tanh": "tanh"}
DENSE = tuple(name for name, network in NETWORKS.items() if not network.convolutions)


class Lines(io.StringIO):
    """What `verbose` prints: a line an epoch."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def write(self, text: str) -> int:
        if text.startswith("Iteration"):
            self._clock.lap()
        return super().write(text)


def train(asked: Asked) -> Trained:
    warnings.simplefilter("ignore")  # that it has not converged
    network = NETWORKS[asked.net]
    inputs, targets = mnist(asked.data)
    model = MLPClassifier(
        network.dense,
        activation=ACTIVATIONS[network.activation],
        solver="adam",
        alpha=0.0,
        batch_size=asked.batch,  # pyright: ignore[reportArgumentType]
        learning_rate_init=LEARNING_RATE,
        max_iter=asked.epochs,
        n_iter_no_change=asked.epochs + 1,
        random_state=0,
        verbose=True,
    )
    clock = Clock()
    with threadpool_limits(asked.threads or None), redirect_stdout(Lines(clock)):
        model.fit(inputs.reshape(len(inputs), -1), targets)
    parameters = sum(part.size for part in [*model.coefs_, *model.intercepts_])
    return Trained(clock.first_step, clock.seconds, int(parameters), float(model.loss_))


if __name__ == "__main__":
    answer(asked(DENSE), train, "scikit-learn")
