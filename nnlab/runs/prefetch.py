"""Reads data while torch is imported: seconds in which a second core has nothing to do."""

from importlib import import_module
from threading import Thread
from typing import final

from nnlab.core.contracts import Examples
from nnlab.experiment.experiment import Experiment


@final
class Prefetch(Thread):
    """Data that are being loaded. A daemon: a command that ends early does not wait for it.

    Args:
        experiment: whose data they are.
    """

    def __init__(self, experiment: Experiment) -> None:
        super().__init__(name="nnlab-data", daemon=True)
        self._experiment = experiment
        self._found: Examples | BaseException | None = None

    def run(self) -> None:
        """Loads the data, in a thread of its own; an error is kept until they are asked for."""
        try:
            self._found = self._experiment.load()
        except BaseException as error:  # raised where the data are asked for
            self._found = error

    def examples(self) -> Examples:
        """The data, as soon as they are loaded.

        Raises:
            BaseException: what loading raised.
        """
        self.join()
        if isinstance(self._found, BaseException):
            raise self._found
        assert self._found is not None
        return self._found


def prefetch(experiment: Experiment) -> Prefetch | None:
    """Begins to load the data of an experiment; None where that is not worth it, or not possible.

    The caller hands the answer to the run together with the experiment.
    """
    from nnlab.parts.datasets.downloads.named import NamedConfig

    data = experiment.config.data
    # What is smaller is read in milliseconds, and what is missing is downloaded for all to see.
    if not isinstance(data, NamedConfig) or data.found(experiment.place) is None:
        return None
    # torch imports it too: two threads at once could wait for one another.
    import_module("numpy")
    begun = Prefetch(experiment)
    begun.start()
    return begun
