"""Requests to talk to a person."""

from __future__ import annotations

import re

_SOMEBODY = r"(persona|humano|humana|asesora?|agente|operadora?|vendedora?|encargad[oa]|representante)"
PERSON = re.compile(
    rf"\b(hablar|hablo|comuni[cq]\w+|contact\w+|pasa\w*|paseme|atienda|atender\w*)( \w+){{0,3}} ({_SOMEBODY}|alguien)\b"
    rf"|\b(quiero|necesito|hay)( con| a)?( un| una| algun| alguna)? {_SOMEBODY}\b"
    r"|\b(persona real|ser humano|no (sos|eres) (una )?(persona|humano)|atencion al cliente)\b"
)


def asks_for_person(plain: str) -> bool:
    """Returns whether a normalised text asks to talk to somebody."""
    return PERSON.search(plain) is not None
