"""Attention under autocast: what it learns in bf16 is what it learns in fp32."""

import pytest
from building import make


@pytest.mark.parametrize(
    ("positions", "dropout"), [("learned", 0.2), ("rotary", 0.0), ("alibi", 0.0)]
)
def test_attention_in_bf16_learns_as_in_fp32(positions: str, dropout: float) -> None:
    def losses(precision: str) -> list[float]:
        made = make(
            data={"kind": "copy", "samples": 200, "delay": 4, "length": 2, "symbols": 3},
            model={
                **{"kind": "transformer", "width": 16, "depth": 1, "heads": 2},
                **{"positions": positions, "dropout": dropout},
            },
            optimizer={"kind": "adamw", "lr": 0.01},
            train={"epochs": 2, "batch_size": 16, "precision": precision},
        )
        readings, _ = made.run()
        return [r.values["loss"] for r in readings if r.split == "validation"]

    full, lower = losses("fp32"), losses("bf16")
    assert full[-1] < 0.6 * full[0]
    assert lower != full
    assert lower == pytest.approx(full, rel=0.05)
