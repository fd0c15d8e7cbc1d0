"""What tests of the language room ask again and again."""

from __future__ import annotations

from worker.language.sharing import common_form


def means_the_same_everywhere(text: str) -> bool:
    """Whether an answer made without the session fits every customer."""
    return common_form(text) is not None
