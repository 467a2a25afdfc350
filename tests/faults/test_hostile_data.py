"""Data files that are no files, or that are packed oddly: exit 3 with a name, at once."""

import os
import random
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nnlab.__main__ import main

MODEL = "model: linear\ntrain: {epochs: 1}\n"


def config(folder: Path, data: str) -> str:
    (folder / "c.yaml").write_text(f"data: {data}\n{MODEL}")
    return str(folder / "c.yaml")


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(40, 3)).astype(np.float32)
    np.savez(tmp_path / "data.npz", inputs=rows, targets=draw.integers(0, 2, 40))
    return tmp_path / "data.npz"


@pytest.mark.parametrize("command", ["check", "train"])
@pytest.mark.parametrize("kind", ["{kind: csv, path: PATH, target: y}",
                                  "{kind: npz, path: PATH}"])  # fmt: skip
@pytest.mark.parametrize("what", ["pipe", "/dev/zero", "folder", "x" * 300, '"a\\0b"', '"\\ud800"'])
def test_what_is_no_file_is_refused(
    tmp_path: Path, command: str, kind: str, what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    assert main([command, config(tmp_path, kind.replace("PATH", what))]) in (2, 3)
    assert "bug" not in capsys.readouterr().err


def flag_as_encrypted(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(sign)
        while place >= 0:
            data[place + offset] |= 1
            place = data.find(sign, place + 1)
    path.write_bytes(data)


def packed_oddly(path: Path, method: int) -> None:
    data = bytearray(path.read_bytes())
    for sign, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        place = data.find(sign)
        while place >= 0:
            data[place + offset] = method
            place = data.find(sign, place + 1)
    path.write_bytes(data)


@pytest.mark.parametrize("method", [None, 9, 14, 12, 99])
def test_an_npz_that_is_encrypted_or_packed_oddly_is_refused(
    tmp_path: Path, npz: Path, method: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if method is None:
        flag_as_encrypted(npz)
    else:
        packed_oddly(npz, method)
    assert main(["train", config(tmp_path, "{kind: npz, path: data.npz}"), "-q"]) == 3
    assert "data.npz" in capsys.readouterr().err


def test_a_flipped_npz_never_ends_in_a_bug(
    tmp_path: Path, npz: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw, data = random.Random(0), npz.read_bytes()
    path = config(tmp_path, "{kind: npz, path: data.npz}")
    for _ in range(60):
        changed = bytearray(data)
        changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        npz.write_bytes(changed)
        assert main(["check", path]) in (0, 2, 3)
    assert "bug" not in capsys.readouterr().err


def test_an_archive_may_hold_what_is_no_array(
    tmp_path: Path, npz: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.npz"
    shutil.copy(npz, other)
    with zipfile.ZipFile(other, "a") as archive:
        archive.writestr("more.npy", b"\x93NUMPY\x01\x00" + b"\xff" * 40)
    words = "{kind: npz, path: other.npz, inputs: more}"
    assert main(["train", config(tmp_path, words), "-q"]) == 3
