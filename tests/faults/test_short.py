"""The short version of `make faults`: each important fault once or twice, over a few hundred messages."""

from __future__ import annotations

import pytest

from faults.play import Play
from faults.suite import Fault, short_faults, suffer

pytestmark = pytest.mark.long


@pytest.mark.parametrize("fault", short_faults(), ids=lambda fault: fault.name)
def test_nothing_is_lost_doubled_or_reordered(play: Play, fault: Fault) -> None:
    """Everything that was sent ends once and in order, and as a serial replay would leave it."""
    result = next(suffer(play, [fault], lambda: None))
    assert result.findings == []
    assert result.injected == fault.times
    assert result.messages >= fault.times * play.messages
