"""A batch that PostgreSQL refuses for a value: the others are committed, the one at fault is told."""

from collections.abc import Sequence

import pytest
from sqlalchemy.exc import DataError

from db.retry import around_refused


def refused(rows: Sequence[int]) -> Sequence[int]:
    """Commits rows without a negative one."""
    if not rows or min(rows) < 0:
        raise DataError("select", None, Exception("out of range"))
    return rows


@pytest.mark.parametrize("rows", [[-1], [1, 2, -3], [-1, 2, 3, 4, -5]])
def test_the_others_are_committed_in_their_order(rows: list[int]) -> None:
    """And each row at fault is told once, in its place."""
    done = around_refused(rows, refused, lambda row, error: [row, type(error).__name__])
    committed = [row for part in done if "DataError" not in part for row in part]
    assert committed == [row for row in rows if row > 0]
    assert [part[0] for part in done if "DataError" in part] == [row for row in rows if row < 0]


def test_a_refused_batch_of_nothing_is_not_halved_for_ever() -> None:
    """Its error is told as it is."""
    with pytest.raises(DataError):
        around_refused([], refused, lambda _row, _error: [])
