"""Cells with several labels in them: told where they may be that."""

from collections.abc import Sequence

import pytest

from nnlab.parts.datasets.files.guesses import several_in_one


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["a", "a|b", "b"], ("a|b", "|")),
        (["action;drama", "action;crime", "crime;drama"], ("action;drama", ";")),
        (["comedy", "drama", "comedy, drama"], ("comedy, drama", ",")),
        (["cat", "dog"], None),
        (["Washington, D.C.", "Albany, NY", "Buffalo, NY"], None),
        (["a|", "a"], None),
        (["AT&T", "IBM"], None),
        (["yes/no", "yes", "no"], ("yes/no", "/")),
    ],
)
def test_a_class_made_of_others(names: Sequence[str], found: tuple[str, str] | None) -> None:
    assert several_in_one(names) == found
