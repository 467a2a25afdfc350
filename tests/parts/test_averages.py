import pytest

from nnlab.core.durations import Duration
from nnlab.parts.averages import EmaConfig, SwaConfig


def test_ema_begins_with_the_first_weights() -> None:
    newest = EmaConfig(decay=0.75).build(per_epoch=10, total=None)
    assert [newest(count) for count in (1, 2, 3, 1000)] == [1.0, 0.25, 0.25, 0.25]


def test_swa_takes_the_weights_once_an_epoch_from_its_start_on() -> None:
    newest = SwaConfig(start=Duration(2)).build(per_epoch=3, total=15)
    shares = [newest(count) for count in range(1, 16)]
    # Copies up to update 6, then a mean of 2 at 9, of 3 at 12, of 4 at 15.
    assert shares == [1.0] * 6 + [0.0, 0.0, 1 / 2, 0.0, 0.0, 1 / 3, 0.0, 0.0, 1 / 4]


def test_swa_begins_at_three_quarters_of_the_run() -> None:
    newest = SwaConfig(every=Duration(1, "steps")).build(per_epoch=10, total=100)
    assert (newest(75), newest(76), newest(77)) == (1.0, 1 / 2, 1 / 3)


def test_swa_cannot_count_percents_of_a_run_in_minutes() -> None:
    with pytest.raises(ValueError, match="75%"):
        SwaConfig().build(per_epoch=10, total=None)


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_ema_decays_by_less_than_1(decay: float) -> None:
    with pytest.raises(ValueError, match="decay"):
        EmaConfig(decay=decay)
