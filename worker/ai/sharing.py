"""Whether a message means the same in every session, decided by the shape of the whole sentence. Pure thought.

A message is shared only if it has, from its first word to its last, one of the shapes of `worker.ai.shapes` and
`worker.ai.questions`, and what stands in an open place is the name of something. All else leans on its conversation.
"""

from __future__ import annotations

from worker.ai import naming
from worker.ai.language import normalised
from worker.ai.questions import OPEN_QUESTIONS
from worker.ai.shapes import FORMAL, NOW, SMALL_TALK, asked, is_fact

#: Whoever writes more tells of himself.
MAX_CHARS = 160
#: What may stand in an open place, by the name of its group.
CHECKS = {
    "product": naming.names_product,
    "products": naming.names_products,
    "other": naming.completes,
    "grocery": naming.is_grocery,
    "shown": naming.is_on_sale,
    "place": naming.names_place,
    "use": naming.names_use,
}


def common_form(text: str) -> str | None:
    """The message as every customer could have meant it; None if it leans on its conversation, and in doubt.

    Questions that differ only in greeting, courtesy and the verb have one form: "Hola! hay leche?" and "me decís si
    tienen leche" are both "tenes leche".
    """
    stripped = text.strip()
    if "\n" in stripped or len(stripped) > MAX_CHARS:
        return None
    plain = normalised(stripped)
    if SMALL_TALK.fullmatch(plain):
        return plain
    question = asked(FORMAL.sub(r"\1 tienen", plain))
    return question if is_fact(plain) else _open_question(NOW.sub("", question))


def _open_question(question: str) -> str | None:
    for shape, form in OPEN_QUESTIONS:
        found = shape.fullmatch(question)
        if found and all(what is None or CHECKS[place](what) for place, what in found.groupdict().items()):
            named = {place: naming.without_article(what) for place, what in found.groupdict().items() if what}
            return form.format(question, **named)
    return None
