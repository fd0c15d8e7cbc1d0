"""Frames: questions that everybody may ask, by the concepts that a message must have (`data/frames.toml`)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from worker.language.vocabulary import read_data

#: An open place of a form.
PLACE: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Frame:
    """One question.

    Args:
        form: as everybody could have asked it, with its open places.
        needs: sets of concepts, one of each of which a message must have.
        allowed: all concepts that it may have.
        places: names of the open places.
    """

    form: str
    needs: tuple[frozenset[str], ...]
    allowed: frozenset[str]
    places: tuple[str, ...]

    def fits(self, concepts: frozenset[str]) -> bool:
        """Returns whether a message of these concepts may be this question."""
        return concepts <= self.allowed and all(not need.isdisjoint(concepts) for need in self.needs)


def _frame(row: Mapping[str, str]) -> Frame:
    needs = tuple(frozenset(need.split("|")) for need in row["needs"].split())
    allowed = frozenset(row.get("may", "").split()).union(*needs)
    return Frame(row["form"], needs, allowed, tuple(PLACE.findall(row["form"])))


FRAMES: Final = tuple(map(_frame, read_data("frames")["frames"]))


@lru_cache(maxsize=4096)
def frames_of(concepts: frozenset[str]) -> tuple[Frame, ...]:
    """The questions that a message of these concepts may be. Looking through all takes longer than all else that is
    done to a message, and messages have the same concepts again and again.
    """
    return tuple(frame for frame in FRAMES if frame.fits(concepts))
