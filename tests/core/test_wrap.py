import io
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from nnlab.core.wrap import stream_width, wrap_text

PROSE = (
    "finding: loss not decreasing (share of a blind guess's loss that is gone -0.00256, limit 0.02)"
    ": the network still knows no more than a guess; try --set optimizer.lr=0.0001"
)
LESSON = "Observe      With zeros the first layer gets no gradient at all at the start. " * 2


@pytest.mark.parametrize("width", [40, 60, 80, 120])
class TestEveryWidth:
    @pytest.mark.parametrize("text", [PROSE, LESSON, "a b", "", "one\n\ntwo " + "word " * 40])
    def test_no_line_is_longer_and_no_word_is_lost(self, text: str, width: int) -> None:
        wrapped = wrap_text(text, width)
        assert max(map(len, wrapped.split("\n"))) <= width
        assert wrapped.split() == text.split()

    def test_what_follows_a_label_stands_below_it(self, width: int) -> None:
        first, second, *_ = wrap_text(LESSON, width).split("\n")
        assert first.startswith("Observe      With")
        assert re.match(r" {13}\S", second)

    @pytest.mark.parametrize(
        "whole",
        [
            "next  nnlab eval '/home/some one/a rather long folder name/runs/digits_mlp/12' --json",
            "/a/path/that/is/longer/than/any/line/" + "x" * 120,
        ],
    )
    def test_commands_and_paths_stay_whole(self, whole: str, width: int) -> None:
        lines = wrap_text(f"{PROSE}\n{whole}", width).split("\n")
        assert whole.removeprefix("next  ") in [
            line.strip().removeprefix("next  ") for line in lines
        ]

    def test_a_setting_to_paste_stays_on_one_line(self, width: int) -> None:
        assert any(
            "--set optimizer.lr=0.0001" in line for line in wrap_text(PROSE, width).split("\n")
        )


def test_where_there_is_no_terminal_lines_stay_whole() -> None:
    assert stream_width(io.StringIO()) is None
    assert wrap_text(PROSE, None) == PROSE


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_message_in_a_terminal_breaks_no_word(tmp_path: Path, columns: int) -> None:
    """The installed command behind a real terminal: every word of the plain run is there whole."""
    words = [sys.executable, "-m", "nnlab", "check", "nothing_of_the_name_is_there_at_all.yaml"]
    plain = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path).stderr
    leader, follower = pty.openpty()
    subprocess.run(["stty", "cols", str(columns), "rows", "40"], stdin=follower, check=True)
    shell = shlex.join(words)
    done = subprocess.Popen(shell, shell=True, stdin=follower, stderr=follower, cwd=tmp_path)
    done.wait()
    os.close(follower)
    shown = os.read(leader, 65536).decode()
    os.close(leader)
    assert shown.split() == plain.split()
    assert len(shown.splitlines()) >= len(plain) // columns
    assert max(map(len, shown.splitlines())) <= columns


@pytest.mark.parametrize(("columns", "width"), [(0, 80), (20, 40), (66, 66)])
def test_a_terminal_without_a_size_has_the_usual_one(columns: int, width: int) -> None:
    termios = pytest.importorskip("termios")
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with open(theirs, "w") as stream:  # noqa: PTH123 - a descriptor
        assert stream_width(stream) == width
    os.close(ours)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "1/2  relu-s0  completed  loss 11.20 (val 11.20)  accuracy 1.000 (val 1.000)  0.3 s",
            "1/2  relu-s0  completed  loss 11.20 (val 11.20)\n"
            "     accuracy 1.000 (val 1.000)  0.3 s",
        ),
        (
            "the first loss is 2.558; a guess without looking has 2.302, ln 10 = 2.303",
            "the first loss is 2.558; a guess without looking has 2.302, ln\n  10 = 2.303",
        ),
        (
            "nothing was found in 19 checks: data (4), splits (5), the weights (3), layers (5)",
            "nothing was found in 19 checks: data (4), splits (5), the\n  weights (3), layers (5)",
        ),
    ],
)  # fmt: skip
def test_what_belongs_together_stays_on_one_line(line: str, shown: str) -> None:
    assert wrap_text(line, 62) == shown


def test_a_part_that_is_longer_than_a_line_is_broken_between_its_words() -> None:
    wrapped = wrap_text("a  b  " + "word " * 30, 40).split("\n")
    assert max(map(len, wrapped)) <= 40
    assert len(wrapped) == 5
