"""The search functions of the database have the units and short forms of the lexicon."""

from __future__ import annotations

import pytest
from helpers.search_units import PLACES, path_of, written


@pytest.mark.parametrize("name", PLACES)
def test_a_function_has_the_words_of_the_data(name: str) -> None:
    """`PYTHONPATH=tests python -m helpers.search_units` renews them; what is released needs a new version."""
    text = path_of(name).read_text("utf-8")
    assert all(place.search(text) for place in PLACES[name].values())
    assert written(name) == text
