"""How records are written on a terminal that is narrow."""

from typing import Any

import pytest

from nnlab.commands.predict.formats import record_writer

ROW: dict[str, Any] = {
    "file": "a.csv",
    "row": 0,
    "prediction": "versicolor",
    "probabilities": {"setosa": 1.185e-9, "versicolor": 0.75, "virginica": 0.25},
}


@pytest.mark.parametrize("width", [None, 120, 50, 40])
def test_a_record_is_broken_between_its_columns(
    width: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stream_width(stream: object) -> int | None:
        return width

    monkeypatch.setattr("nnlab.commands.predict.formats.stream_width", stream_width)
    write = record_writer("table", one_file=True)
    lines = (write([ROW]) + write([{**ROW, "row": 1}])).splitlines()
    each = {None: 1, 120: 1, 50: 2, 40: 2}[width]
    assert len(lines) == 3 * each
    assert width is None or max(map(len, lines)) <= width
    for line in lines:
        for part in ("1.185e-09", "0.7500", "p(virginica)"):
            assert part in " ".join(lines)
        assert line.startswith("  ") == bool(lines.index(line) % each)
    # What belongs together stands in one column.
    assert lines[each - 1].index("p(virginica)") == lines[2 * each - 1].index("0.2500")
