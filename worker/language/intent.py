"""Intent of a message, guessed for replies that no model makes.

A guess is only a guess: nothing is ever changed in a cart because of one.
"""

from __future__ import annotations

from worker.language.classifier import classifier
from worker.language.normalise import normalised


def guess_intent(text: str) -> str:
    """Guesses one of the intents of a decision (`worker.replies.decision.Intent`), as the labelled lines have them
    (`data/lines`); "unknown" where only the session could tell, as for "2" or "ese".
    """
    return classifier().kind_of(normalised(text)).intent
