"""A town for the tests of one module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from faults.play import Play, open_play

SEED = 20_261
#: Few customers, so that everybody has a conversation; few messages, so that it takes two minutes.
CUSTOMERS, MESSAGES = 40, 16


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """The whole service on servers of its own, ready for the first round."""
    with open_play(tmp_path_factory.mktemp("town"), SEED, MESSAGES, CUSTOMERS) as play:
        yield play
