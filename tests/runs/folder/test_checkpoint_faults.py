"""Faults in the middle of saving: a kill, a full disk, a missing permission."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from nnlab.core.errors import ResourceError
from nnlab.runs.folder import checkpoint


def save(folder: Path, step: int) -> Path:
    tensors = {"model/a": torch.arange(6.0) + step, "step/count": torch.tensor(step)}
    path = checkpoint.save_checkpoint(folder, step=step, tensors=tensors, state={"step": step})
    checkpoint.point_to(folder, "last", path.name)
    return path


class Killed(BaseException):
    """After it nothing reaches the disk any more, as after kill -9."""


CALLS = ("open", "write", "fsync", "replace", "rename", "mkdir", "unlink", "rmdir")


def fail_from(monkeypatch: pytest.MonkeyPatch, n: int, error: BaseException, last: float) -> None:
    """Lets the calls n to `last` that touch the disk fail."""
    count = 0

    def wrap(name: str) -> None:
        original = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if n <= count <= last:
                raise error
            return original(*args, **kwargs)

        monkeypatch.setattr(os, name, call)

    for name in CALLS:
        wrap(name)


def save_and_tidy(folder: Path, step: int) -> None:
    save(folder, step)
    checkpoint.prune_checkpoints(folder, newest=1)


@pytest.mark.parametrize("again", [False, True], ids=["a new step", "the same step again"])
def test_a_kill_at_any_write_leaves_a_sound_checkpoint(tmp_path: Path, again: bool) -> None:
    step = 1 if again else 2
    for n in range(1, 200):
        folder = tmp_path / str(n)
        save(folder, 1)
        with pytest.MonkeyPatch.context() as patch:
            fail_from(patch, n, Killed(), last=float("inf"))
            try:
                save_and_tidy(folder, step)
                break
            except Killed:
                pass
        found = checkpoint.newest_checkpoint(folder).checkpoint
        assert found is not None, n
        assert found.tensors["step/count"].item() == found.step, n
        save_and_tidy(folder, step)
        assert checkpoint.named_checkpoint(folder, "last").step == step
        assert not list(folder.glob("*.tmp-*"))
    else:
        pytest.fail("never got through")
    assert n > 15


def test_a_full_disk_at_any_write_is_said_and_leaves_no_rubbish(tmp_path: Path) -> None:
    before = save(tmp_path, 1)
    for n in range(1, 200):
        with pytest.MonkeyPatch.context() as patch:
            fail_from(patch, n, OSError(28, "No space left on device"), last=n)
            try:
                save(tmp_path, 2)
            except ResourceError as error:
                message = str(error)
            else:
                break
        assert str(tmp_path) in message
        assert "no space left on device" in message
        assert checkpoint.read_checkpoint(before).step == 1
        assert not list(tmp_path.glob("*.tmp-*"))
    assert checkpoint.named_checkpoint(tmp_path, "last").step == 2


def test_a_folder_without_permission_is_said(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        fail_from(patch, 1, PermissionError(13, "Permission denied"), last=1)
        with pytest.raises(ResourceError, match="permission denied"):
            checkpoint.save_checkpoint(tmp_path / "no", step=1, tensors={}, state={})
