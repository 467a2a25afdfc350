"""The pages in docs/doctor.md are what the doctor says today, but for the numbers."""

from pathlib import Path

import pytest
from doctor_pages import PAGES, made_in, words_of, written


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.__name__)
def test_a_page_in_the_docs_is_the_one_of_today(page, tmp_path: Path) -> None:  # pyright: ignore
    told = made_in(tmp_path.resolve(), page)
    assert " ".join(words_of(told)) in " ".join(words_of(written())), (
        f"{told}\n(python tests/doctor_pages.py writes the pages anew)"
    )
