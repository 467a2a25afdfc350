"""What env.json says of git: what git itself would, without running anything of the folder."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from nnlab.runs.git_state import git_commit

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git to compare with")


def git(folder: Path, *words: str) -> str:
    settings = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *settings, *words], cwd=folder, capture_output=True, text=True, check=True,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
    )  # fmt: skip
    return done.stdout.strip()


def described(folder: Path) -> str:
    return git(folder, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for name in ("a.txt", "b.txt", "a longer name.txt"):
        (folder / name).write_text(name)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    return folder


@pytest.mark.parametrize("how", ["clean", "touched", "changed", "removed", "packed", "detached",
                                 "worktree", "below", "untracked"])  # fmt: skip
def test_agrees_with_git(checkout: Path, how: str) -> None:
    place = checkout
    if how == "touched":
        os.utime(checkout / "a.txt", (1, 1))
    elif how == "changed":
        (checkout / "b.txt").write_text("other")
    elif how == "removed":
        (checkout / "a longer name.txt").unlink()
    elif how == "packed":
        git(checkout, "pack-refs", "--all")
        assert not (checkout / ".git/refs/heads/main").exists()
    elif how == "detached":
        git(checkout, "checkout", "-q", "--detach")
    elif how == "worktree":
        git(checkout, "worktree", "add", "-q", "../other", "-b", "other")
        place = checkout.parent / "other"
    elif how == "below":
        place = checkout / "sub"
        place.mkdir()
    elif how == "untracked":
        (checkout / "new.txt").write_text("new")
    assert git_commit(place) == described(checkout if how == "below" else place)


def test_runs_no_program_of_the_folder(checkout: Path, tmp_path: Path) -> None:
    canary, script = tmp_path / "canary", tmp_path / "evil.sh"
    script.write_text(f"#!/bin/sh\necho ran >> {canary}\n")
    script.chmod(0o755)
    (checkout / ".gitattributes").write_text("*.txt filter=evil diff=evil\n")
    for key in ("core.fsmonitor", "filter.evil.clean", "filter.evil.process", "diff.external",
                "core.pager", "core.sshCommand"):  # fmt: skip
        git(checkout, "config", key, str(script))
    for hook in ("post-index-change", "fsmonitor-watchman"):
        (checkout / ".git/hooks").mkdir(exist_ok=True)
        shutil.copy(script, checkout / ".git/hooks" / hook)
    os.utime(checkout / "a.txt", (1, 1))
    assert git_commit(checkout) is not None
    assert not canary.exists()
    subprocess.run(["git", "describe", "--always", "--dirty"], cwd=checkout, capture_output=True)
    assert canary.exists()  # what git itself would have done


@pytest.mark.parametrize("content", [b"", b"ref: ../../../etc/passwd", b"\xff", b"ref: refs/x\0"])
def test_a_head_that_is_none_is_no_commit(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_bytes(content)
    assert git_commit(tmp_path) is None


def test_a_damaged_index_is_no_error(checkout: Path) -> None:
    data = (checkout / ".git/index").read_bytes()
    for length in (0, 11, 12, 40, 90, len(data) - 1):
        (checkout / ".git/index").write_bytes(data[:length])
        git_commit(checkout)
