"""What is remembered of texts stays small, whatever customers write."""

from __future__ import annotations

from worker.language.memory import LONG_TEXTS, SHORT_CHARS, SHORT_TEXTS, remembered


def test_long_texts_neither_stay_nor_drive_out_short_ones() -> None:
    """A flood of the longest messages leaves what is asked often where it is, and the oldest of them goes."""
    read: list[str] = []

    @remembered
    def size(text: str, more: int = 0) -> int:
        read.append(text)
        return len(text) + more

    long = [f"{number:0{SHORT_CHARS + 1}}" for number in range(LONG_TEXTS + 1)]
    assert [size("hola"), size("hola"), size("hola", 1)] == [4, 4, 5]
    assert [size(text) for text in long] == [SHORT_CHARS + 1] * len(long)
    read.clear()
    assert size("hola") == 4
    assert size(long[-1]) == SHORT_CHARS + 1
    assert read == []
    size(long[0])
    assert read == [long[0]]


def test_short_texts_are_many_and_bounded() -> None:
    """The one that was not asked for longest is read again."""
    read: list[str] = []
    keep = remembered(lambda text: read.append(text))
    for number in range(SHORT_TEXTS + 1):
        keep(str(number))
    keep("1")
    assert len(read) == SHORT_TEXTS + 1
    keep("0")
    assert read[-1] == "0"
