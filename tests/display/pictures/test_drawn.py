"""Drawings: PNG files that differ where the data differ, by whatever process they are made."""

import importlib
import json
import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from building import make
from PIL import Image
from test_attention_pictures import IMAGES
from test_collected import CNN, COPY, DIGITS, MOONS, POINT, SINC, SUNSPOTS, seeing, titles

from nnlab.display.pictures.drawing import PIXELS, figure_png
from nnlab.display.pictures.family import Moment
from nnlab.display.pictures.menu import KINDS
from nnlab.display.pictures.painter import Painter
from nnlab.display.pictures.worker import serve

NOW = Moment(100, 2.5)


def sections_of(title: str) -> dict[str, Any]:
    every = (MOONS, SINC, CNN, POINT, COPY, SUNSPOTS, IMAGES)
    return next(sections for sections in every if title in titles(sections))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.title)
def test_every_picture_is_a_png_that_follows_the_network(kind: Any) -> None:
    made = make(**sections_of(kind.title))
    (picture,) = (p for p in seeing(made) if isinstance(p, kind))
    first = figure_png(kind, picture.arrays() or {}, NOW)
    image = Image.open(BytesIO(first))
    assert image.size == PIXELS
    assert len(set(image.convert("L").tobytes())) > 10  # something is drawn
    with torch.no_grad():
        for parameter in made.built.network.parameters():
            parameter.mul_(-1.7).add_(0.2)  # cosines know no factor
    from nnlab.core.events import Reading

    values = {"x": 0.5, "y": 0.3, "loss": 0.1, **dict.fromkeys(picture.scene.norms, 0.01)}
    picture.see(Reading(50, 5.0, "train", values))
    assert figure_png(kind, picture.arrays() or {}, NOW) != first


@pytest.mark.parametrize("sections", [MOONS, SINC, DIGITS, POINT, SUNSPOTS])
def test_a_diverged_network_can_be_drawn(sections: dict[str, Any]) -> None:
    made = make(**sections)
    pictures = seeing(made)
    with torch.no_grad():
        for parameter in made.built.network.parameters():
            parameter.fill_(float("nan"))
    for picture in pictures:
        found = picture.arrays()
        assert found is not None
        assert figure_png(type(picture), found, NOW)


def test_the_painter_delivers_records_in_order() -> None:
    made = make(**MOONS)
    pictures = seeing(made)
    records: list[bytes] = []
    painter = Painter(records.append, pytest.fail)
    for step, picture in enumerate(pictures):
        found = picture.arrays()
        assert found is not None
        painter.paint(picture.title, found, Moment(step, 0.0))
    painter.close()
    messages = importlib.import_module("tensorboard.compat.proto.event_pb2")
    for step, (picture, record) in enumerate(zip(pictures, records, strict=True)):
        (length,) = struct.unpack("<Q", record[:8])
        event = messages.Event.FromString(record[12 : 12 + length])
        assert event.step == step
        assert event.summary.value[0].tag == f"pictures/{picture.title}"
        assert event.summary.value[0].metadata.summary_description == picture.about


def test_what_cannot_be_drawn_is_told_once_and_the_run_goes_on() -> None:
    said: list[str] = []
    painter = Painter(lambda _: pytest.fail("a record"), said.append)
    for _ in range(2):
        painter.paint("decision boundary", {"x": np.zeros(1)}, NOW)
    painter.close()
    (line,) = said
    assert line.startswith("pictures: decision boundary cannot be drawn, KeyError")


def test_leaving_at_once_does_not_wait(tmp_path: Path) -> None:
    made = make(**MOONS)
    (picture, *_) = seeing(made)
    painter = Painter(lambda _: None, pytest.fail)
    for step in range(200):
        painter.paint(picture.title, picture.arrays() or {}, Moment(step, 0.0))
    painter.close(at_once=True)  # else this test takes minutes


def test_the_worker_ends_with_its_input() -> None:
    answers = BytesIO()
    content = BytesIO()
    np.savez(content, x=np.zeros(1))
    data = content.getvalue()
    head = json.dumps({"title": "no such", "step": 0, "epoch": 0.0, "size": len(data)})
    serve(BytesIO(head.encode() + b"\n" + data), answers)
    assert "error" in json.loads(answers.getvalue())
