import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from nnlab.core.errors import CheckpointError
from nnlab.runs.folder import checkpoint


def raw(tensor: Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def small(step: int = 3) -> dict[str, Tensor]:
    return {
        "model/hidden1.weight": torch.arange(6.0).reshape(2, 3) + step,
        "optimizer/hidden1.weight/exp_avg": torch.zeros(2, 3),
        "step/count": torch.tensor(step),
    }


def save(folder: Path, step: int) -> Path:
    path = checkpoint.save_checkpoint(folder, step=step, tensors=small(step), state={"step": step})
    checkpoint.point_to(folder, "last", path.name)
    return path


NAN_BITS = torch.tensor([0x7FC00001, 0x7F800001, -1, -0x80000000], dtype=torch.int32)
STRANGE = {
    "fp32": torch.randn(3, 4),
    "fp64": torch.randn(2, dtype=torch.float64),
    "bf16": torch.randn(5).bfloat16(),
    "fp16": torch.randn(5).half(),
    "int64": torch.tensor([2**62, -1]),
    "bool": torch.tensor([True, False]),
    "uint8": torch.arange(256, dtype=torch.uint8),
    "0-dim": torch.tensor(1.5),
    "empty": torch.zeros(0, 3),
    "NaN payloads and -0.0": NAN_BITS.view(torch.float32),
    "transposed": torch.randn(3, 4).T,
    "channels last": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "expanded": torch.randn(1, 4).expand(3, 4),
    "parameter": torch.nn.Parameter(torch.randn(2)),
}


@pytest.mark.parametrize("tensor", STRANGE.values(), ids=STRANGE)
def test_gives_back_the_same_bits(tmp_path: Path, tensor: Tensor) -> None:
    given = {"model/a": tensor, "optimizer/a/momentum": tensor}
    back = checkpoint.read_checkpoint(
        checkpoint.save_checkpoint(tmp_path, step=1, tensors=given, state={})
    ).tensors
    assert list(back) == list(given)
    for found in back.values():
        assert (found.dtype, found.shape) == (tensor.dtype, tensor.shape)
        assert raw(found) == raw(tensor.detach())


def test_reads_what_the_version_before_wrote(tmp_path: Path) -> None:
    path = save(tmp_path, 3)
    agree(path, "state.json", b'{"format": 1, "step": 3, "state": {}}')
    rewrite_manifest(path, lambda m: m.update(format=1))
    found = checkpoint.read_checkpoint(path)
    assert (found.format, found.step) == (1, 3)
    assert checkpoint.read_checkpoint(save(tmp_path, 4)).format == 2


def test_saves_tensors_that_share_memory(tmp_path: Path) -> None:
    table = torch.randn(4, 4)
    tensors = {"model/a": table, "model/b": table, "model/c": table[1:]}
    back = checkpoint.read_checkpoint(
        checkpoint.save_checkpoint(tmp_path, step=0, tensors=tensors, state={})
    ).tensors
    assert all(raw(back[name]) == raw(tensors[name]) for name in tensors)


def test_gives_back_state_step_and_path(tmp_path: Path) -> None:
    state = {"best": 0.1 + 0.2, "never": float("inf"), "tiny": 5e-324, "list": [1, None, "ä"]}
    path = checkpoint.save_checkpoint(
        tmp_path / "new" / "folder", step=123, tensors=small(), state=state
    )
    found = checkpoint.read_checkpoint(path)
    assert path.name == "step-00000123"
    assert (found.step, found.state, found.path) == (123, state, path)


def test_the_same_state_makes_the_same_files(tmp_path: Path) -> None:
    first, second = save(tmp_path / "a", 5), save(tmp_path / "b", 5)
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes()


def test_model_file_holds_plain_names_that_others_can_load(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    assert list(load_file(save(tmp_path, 1) / "model.safetensors")) == ["hidden1.weight"]


def test_saving_a_step_again_replaces_it(tmp_path: Path) -> None:
    save(tmp_path, 3)
    checkpoint.save_checkpoint(tmp_path, step=3, tensors=small(), state={"again": True})
    assert checkpoint.named_checkpoint(tmp_path, "last").state == {"again": True}
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["last", "pointers.json", "step-00000003"]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << (at % 8)
    path.write_bytes(data)


def test_notices_flipped_bits(tmp_path: Path) -> None:
    path = save(tmp_path, 3)
    for file in sorted(path.iterdir()):
        good = file.read_bytes()
        for at in range(0, len(good), 13):
            flip(file, at)
            if file.name == "manifest.json" and good[at : at + 1].isspace():
                continue  # white space is none of its content
            with pytest.raises(CheckpointError, match="step-00000003"):
                checkpoint.read_checkpoint(path)
            file.write_bytes(good)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"]
)
def test_notices_every_truncation(tmp_path: Path, name: str) -> None:
    file = save(tmp_path, 3) / name
    good = file.read_bytes()
    for length in {0, 1, 8, len(good) // 2, len(good) - 1}:
        file.write_bytes(good[:length])
        with pytest.raises(CheckpointError, match=name):
            checkpoint.read_checkpoint(file.parent)


def rewrite_manifest(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    change(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest))


def agree(path: Path, name: str, data: bytes) -> None:
    """Puts other content under a manifest that agrees with it, as an attacker would."""
    import hashlib

    (path / name).write_bytes(data)
    entry = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    rewrite_manifest(path, lambda manifest: manifest["files"].update({name: entry}))


def link(path: Path) -> None:
    (path / "model.safetensors").rename(path.parent / "elsewhere")
    (path / "model.safetensors").symlink_to(path.parent / "elsewhere")


def pipe(path: Path) -> None:
    (path / "model.safetensors").unlink()
    os.mkfifo(path / "model.safetensors")


def folder_instead(path: Path) -> None:
    (path / "model.safetensors").unlink()
    (path / "model.safetensors").mkdir()


HEADER = (2**62).to_bytes(8, "little")
HUGE = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}}).encode()
DAMAGES: dict[str, Callable[[Path], object]] = {
    "a file is missing": lambda path: (path / "optimizer.safetensors").unlink(),
    "the manifest is missing": lambda path: (path / "manifest.json").unlink(),
    "a file too many": lambda path: (path / "evil.py").touch(),
    "another's tensors": lambda path: shutil.copy(
        path.parent / "step-00000009/model.safetensors", path
    ),
    "another's folder": lambda path: shutil.copytree(
        path.parent / "step-00000009", path, dirs_exist_ok=True
    ),
    "a link": link,
    "a pipe": pipe,
    "a folder": folder_instead,
    "a path in the manifest": lambda path: rewrite_manifest(
        path, lambda m: m["files"].update({"../../x": m["files"]["state.json"]})
    ),
    "a name less in the manifest": lambda path: rewrite_manifest(
        path, lambda m: m["files"].pop("state.json")
    ),
    "a negative size": lambda path: rewrite_manifest(
        path, lambda m: m["files"]["state.json"].update(size=-1)
    ),
    "a newer format": lambda path: rewrite_manifest(path, lambda m: m.update(format=3)),
    "a manifest that is a list": lambda path: (path / "manifest.json").write_text("[]"),
    "a deep manifest": lambda path: (path / "manifest.json").write_text("[" * 100_000),
    "a state without a step": lambda path: agree(path, "state.json", b'{"format": 1, "state": {}}'),
    "a header of 2^62 bytes": lambda path: agree(path, "model.safetensors", HEADER),
    "a huge shape": lambda path: agree(
        path, "model.safetensors", len(HUGE).to_bytes(8, "little") + HUGE + b"1234"
    ),
    "a pickle": lambda path: agree(path, "model.safetensors", b"\x80\x04cos\nsystem\n."),
    "parts of the model twice": lambda path: agree(
        path, "optimizer.safetensors", safetensors_of("model/hidden1.weight")
    ),
}


def safetensors_of(name: str) -> bytes:
    from safetensors.torch import save as to_bytes

    return to_bytes({name: torch.zeros(2)})


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_refuses_and_resumes_from_the_one_before(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    save(tmp_path, 1)
    checkpoint.save_checkpoint(tmp_path, step=9, tensors=small(9), state={})
    shutil.move(save(tmp_path, 2), tmp_path / "kept")
    shutil.move(tmp_path / "kept", tmp_path / "step-00000002")
    damage(tmp_path / "step-00000002")
    with pytest.raises(CheckpointError, match="step-00000002"):
        checkpoint.named_checkpoint(tmp_path, "last")
    shutil.rmtree(tmp_path / "step-00000009")
    found = checkpoint.newest_checkpoint(tmp_path)
    assert found.checkpoint is not None
    assert found.checkpoint.step == 1
    assert "step-00000002" in found.warnings[0]


def test_refuses_to_start_anew_where_no_checkpoint_is_sound(tmp_path: Path) -> None:
    flip(save(tmp_path, 1) / "model.safetensors", 90)
    with pytest.raises(CheckpointError, match="no checkpoint is sound"):
        checkpoint.newest_checkpoint(tmp_path)


def test_newest_of_nothing_is_nothing(tmp_path: Path) -> None:
    assert checkpoint.newest_checkpoint(tmp_path / "absent") == (None, ())


@pytest.mark.parametrize("text", ["", "../../etc", "/etc", "step-1", "step-00000007", "x" * 1000])
def test_a_pointer_that_names_nothing_is_no_way_in(tmp_path: Path, text: str) -> None:
    save(tmp_path, 1)
    (tmp_path / "last").write_text(text)
    with pytest.raises(CheckpointError):
        checkpoint.named_checkpoint(tmp_path, "last")
    with pytest.raises(CheckpointError, match=r"last: is damaged, .* nnlab wrote step-00000001"):
        checkpoint.newest_checkpoint(tmp_path)
    (tmp_path / "pointers.json").unlink()  # as of an older nnlab
    found = checkpoint.newest_checkpoint(tmp_path).checkpoint
    assert found is not None
    assert found.step == 1


def test_prune_keeps_what_is_pointed_to_and_the_newest_two(tmp_path: Path) -> None:
    for step in range(6):
        save(tmp_path, step)
    checkpoint.point_to(tmp_path, "init", "step-00000000")
    checkpoint.point_to(tmp_path, "best", "step-00000002")
    (tmp_path / "step-00000001.tmp-1").mkdir()
    (tmp_path / "last.tmp-1").touch()
    checkpoint.prune_checkpoints(tmp_path)
    steps = [f"step-0000000{step}" for step in (0, 2, 4, 5)]
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["best", "init", "last", "pointers.json", *steps]


def test_tensors_that_fit_are_accepted() -> None:
    checkpoint.check_fits(small(), small())
    checkpoint.check_fits(
        small(), {k: v.to(torch.float64) if v.ndim else v for k, v in small().items()}
    )


def test_says_in_which_way_tensors_do_not_fit() -> None:
    found = small() | {"model/hidden1.weight": torch.zeros(2, 4), "model/extra": torch.zeros(1)}
    del found["optimizer/hidden1.weight/exp_avg"]
    found["step/count"] = torch.tensor(1.0)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.check_fits(small(), found, where="step-3")
    assert caught.value.lines == (
        "step-3: hidden1.weight has shape (2, 4) there and (2, 3) here",
        "step-3: optimizer/hidden1.weight/exp_avg is missing there, has shape (2, 3) here",
        "step-3: step/count is torch.float32 there and torch.int64 here",
        "step-3: extra is there and not here",
    )


def test_says_at_most_ten_differences() -> None:
    many = {f"model/{i}": torch.zeros(1) for i in range(30)}
    with pytest.raises(CheckpointError) as caught:
        checkpoint.check_fits(many, {})
    assert len(caught.value.lines) == 10
    assert "and 21 more" in caught.value.lines[-1]


class TestKept:
    """What `kept` names stays, also where it cannot be read."""

    def kept(self, folder: Path) -> list[str]:
        for step in (1, 2, 3, 4, 5, 6):
            save(folder, step)
            if step < 4:
                checkpoint.keep_checkpoint(folder, checkpoint.checkpoint_name(step))
        return checkpoint.kept_checkpoints(folder)

    @pytest.mark.parametrize("record", [True, False], ids=["", "of an older nnlab"])
    @pytest.mark.parametrize("fault", ["flip", "letters", "folder", "bytes"])
    def test_that_is_damaged_keeps_everything(
        self, tmp_path: Path, fault: str, record: bool
    ) -> None:
        names = self.kept(tmp_path)
        path = tmp_path / "kept"
        data = path.read_bytes()
        if fault == "flip":
            path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        elif fault == "letters":
            path.write_bytes(b"x" + data)
        elif fault == "bytes":
            path.write_bytes(b"\xff" + data)
        else:
            path.unlink()
            path.mkdir()
        if not record:
            (tmp_path / "pointers.json").unlink()
        before = sorted(p.name for p in tmp_path.iterdir())
        with pytest.raises(CheckpointError, match="kept: "):
            checkpoint.prune_checkpoints(tmp_path)
        with pytest.raises(CheckpointError, match="kept: "):
            checkpoint.keep_checkpoint(tmp_path, "step-00000006")
        assert sorted(p.name for p in tmp_path.iterdir()) == before
        assert set(names) <= set(before)

    def test_that_is_gone_keeps_everything_and_says_what_it_named(self, tmp_path: Path) -> None:
        names = self.kept(tmp_path)
        (tmp_path / "kept").unlink()
        with pytest.raises(CheckpointError, match="named step-00000001, step-00000002, step-0000"):
            checkpoint.prune_checkpoints(tmp_path)
        assert all((tmp_path / name).is_dir() for name in names)

    @pytest.mark.parametrize("name", ["best", "last", "init"])
    def test_so_does_a_pointer(self, tmp_path: Path, name: checkpoint.Pointer) -> None:
        for step in range(6):
            save(tmp_path, step)
        checkpoint.point_to(tmp_path, name, "step-00000002")
        (tmp_path / name).write_text("step-00000009\n")
        before = sorted(p.name for p in tmp_path.iterdir())
        with pytest.raises(CheckpointError, match=f"{name}: is damaged"):
            checkpoint.prune_checkpoints(tmp_path)
        assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_every_flip_in_a_pointer_or_its_record_is_refused(tmp_path: Path) -> None:
    for step in (0, 1, 2, 3):
        save(tmp_path, step)  # so that flips lead to folders that are there
    checkpoint.point_to(tmp_path, "best", "step-00000002")
    for name in ("best", "pointers.json"):
        data = (tmp_path / name).read_bytes()
        for bit in range(8 * len(data)):
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            (tmp_path / name).write_bytes(changed)
            try:
                assert checkpoint.named_checkpoint(tmp_path, "best").step == 2
            except CheckpointError:
                continue
            # Blanks between the values of the record are nobody's number.
            assert name == "pointers.json", bit
        (tmp_path / name).write_bytes(data)
