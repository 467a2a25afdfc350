"""Reads data while torch is imported: seconds in which a second core has nothing to do."""

from importlib import import_module
from threading import Thread
from typing import final

from nnlab.core.contracts import Examples
from nnlab.parts.datasets.family import DataConfig, Place


@final
class _Reading(Thread):
    """Loads data. A daemon: a command that ends early does not wait for it."""

    def __init__(self, data: DataConfig, place: Place) -> None:
        super().__init__(name="nnlab-data", daemon=True)
        self.what = data, place
        self._found: Examples | BaseException | None = None

    def run(self) -> None:
        data, place = self.what
        try:
            self._found = data.load(place)
        except BaseException as error:  # raised where the data are asked for
            self._found = error

    def examples(self) -> Examples:
        """Waits for the end.

        Raises:
            BaseException: what loading raised.
        """
        self.join()
        if isinstance(self._found, BaseException):
            raise self._found
        assert self._found is not None
        return self._found


_readings: list[_Reading] = []


def begin_loading(data: DataConfig, place: Place) -> None:
    """Begins to load what `take_loaded` will be asked for, where that takes time and is there."""
    from nnlab.parts.datasets.downloads.named import NamedConfig

    # What is smaller is read in milliseconds, and what is missing is downloaded for all to see.
    if isinstance(data, NamedConfig) and data.found(place) is not None:
        # torch imports it too: two threads at once could wait for one another.
        import_module("numpy")
        _readings[:] = [_Reading(data, place)]
        _readings[0].start()


def take_loaded(data: DataConfig, place: Place) -> Examples:
    """`data.load(place)`, begun before or not.

    Raises:
        ConfigError, DataError: as there.
    """
    reading = _readings.pop() if _readings else None
    if reading is not None and reading.what == (data, place):
        return reading.examples()
    return data.load(place)
