"""Which signals a run heeds."""

import os
import signal
from collections.abc import Iterator

import pytest

from nnlab.core.signals import stop_signals

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP")


@pytest.fixture(params=[signal.SIG_DFL, signal.SIG_IGN], ids=["heeded", "ignored"])
def before(request: pytest.FixtureRequest) -> Iterator[signal.Handlers]:
    """What a closed terminal does to this process; the tests may run under nohup themselves."""
    own = signal.signal(signal.SIGHUP, request.param)
    yield request.param
    signal.signal(signal.SIGHUP, own)


def test_a_signal_stops_softly_unless_it_was_ignored_and_its_handler_is_put_back(
    before: signal.Handlers,
) -> None:
    why = list[str]()
    with stop_signals(why.append, []):
        os.kill(os.getpid(), signal.SIGHUP)
    assert why == ([] if before == signal.SIG_IGN else ["stopped by SIGHUP"])
    assert signal.getsignal(signal.SIGHUP) == before
