"""The gate before each update: who passes, how fast, and what time it is meanwhile."""

from threading import Thread
from time import perf_counter, sleep
from typing import Any

import pytest

from nnlab.studio.worker.gate import Command, Gate


def nothing() -> None: ...


class Person:
    """What somebody does at a gate, by the words of the page."""

    def __init__(self, *, playing: bool = False) -> None:
        self.heard: list[Command] = []
        self.gate = Gate(playing=playing, carry_out=self._do)

    def _do(self, command: Command) -> None:
        self.heard.append(command)
        do: Any = {
            "play": self.gate.play,
            "pause": self.gate.pause,
            "step": lambda: self.gate.allow(command["count"]),
            "rate": lambda: self.gate.limit(command["rate"]),
        }[command["do"]]
        do()


def later(seconds: float, gate: Gate, *commands: Command) -> Thread:
    def put() -> None:
        for command in commands:
            sleep(seconds)
            gate.put(command)

    thread = Thread(target=put)
    thread.start()
    return thread


def test_an_open_gate_holds_nobody_up() -> None:
    gate = Person(playing=True).gate
    for _ in range(1000):
        gate.wait(nothing)
    assert gate.held == 0.0


def test_a_closed_gate_waits_and_tells_it_once() -> None:
    person, told = Person(), list[int]()
    began = perf_counter()
    thread = later(0.1, person.gate, {"do": "play"})
    person.gate.wait(lambda: told.append(1))
    thread.join()
    assert perf_counter() - began >= 0.1
    assert told == [1]
    assert person.heard == [{"do": "play"}]


def test_so_many_updates_pass_and_then_it_is_closed_again() -> None:
    person = Person()
    person.gate.put({"do": "step", "count": 3})
    for _ in range(3):
        person.gate.wait(nothing)
    assert person.gate.allowed == 0
    assert not person.gate.playing
    began = perf_counter()
    thread = later(0.05, person.gate, {"do": "step", "count": 1})
    person.gate.wait(nothing)
    thread.join()
    assert perf_counter() - began >= 0.05


def test_the_clock_stands_while_it_is_closed() -> None:
    person = Person()
    before, began = person.gate.clock(), perf_counter()
    thread = later(0.2, person.gate, {"do": "play"})
    person.gate.wait(nothing)
    passed, counted = perf_counter() - began, person.gate.clock() - before
    thread.join()
    assert passed >= 0.2
    assert counted < 0.02
    assert person.gate.held == pytest.approx(passed, abs=0.02)


def test_a_rate_is_kept_and_counts_as_held() -> None:
    person = Person(playing=True)
    person.gate.put({"do": "rate", "rate": 100.0})
    person.gate.wait(nothing)
    began = perf_counter()
    for _ in range(20):
        person.gate.wait(nothing)
    seconds = perf_counter() - began
    assert 0.19 <= seconds < 0.5
    assert person.gate.held > 0.15


def test_a_pause_ends_what_was_allowed() -> None:
    person = Person()
    person.gate.put({"do": "step", "count": 100})
    person.gate.wait(nothing)
    person.gate.put({"do": "pause"})
    began = perf_counter()
    thread = later(0.05, person.gate, {"do": "play"})
    person.gate.wait(nothing)
    thread.join()
    assert perf_counter() - began >= 0.05
