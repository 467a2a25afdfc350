"""Which signals a run heeds."""

import os
import signal

import pytest

from nnlab.core.signals import stop_signals

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP")


def test_a_signal_stops_softly_and_its_handler_is_put_back() -> None:
    before, why = signal.getsignal(signal.SIGHUP), list[str]()
    with stop_signals(why.append, []):
        os.kill(os.getpid(), signal.SIGHUP)
    assert why == ["stopped by SIGHUP"]
    assert signal.getsignal(signal.SIGHUP) == before


def test_what_nohup_had_ignored_stays_ignored() -> None:
    before, why = signal.signal(signal.SIGHUP, signal.SIG_IGN), list[str]()
    try:
        with stop_signals(why.append, []):
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert why == []
