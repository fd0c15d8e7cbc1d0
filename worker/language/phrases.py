"""Phrases that several topics have in common, as regular expressions over normalised text."""

from __future__ import annotations


def either(phrasings: str) -> str:
    """A group that matches one of these; one phrasing, or a few between bars, on a line."""
    return f"(?:{'|'.join(line.strip() for line in phrasings.strip().splitlines())})"


SHOP = r"(?:local|super(?:mercado)?|tienda|negocio|sucursal|comercio|almacen|deposito)"
_WEEKDAY = r"(?:lunes|martes|miercoles|jueves|viernes|sabados?|domingos?|feriados?|festivos)"
DAYS = either(
    rf"""
    (?:los |las )?{_WEEKDAY}(?:(?: y| a)? {_WEEKDAY})*|(?:los )?fines de semana|todos los dias|(?:las )?24 (?:horas|hs)
    de noche|al mediodia|de corrido|(?:a|por) la (?:mañana|tarde|noche|siesta)
    """
)

METHOD = either(
    """
    tarjetas?(?: de (?:credito|debito)(?: (?:y|o) (?:credito|debito))?)?|credito|debito|efectivo|mercado ?pago|mp|yape
    transferencias?(?: bancarias?)?|plin|nequi|daviplata|oxxo|spei|paypal|bizum|qr|modo|uala|cheques?|dolares|visa
    posnet|mastercard|amex|cuenta dni|contra entrega|terminal|billetera virtual|vales de despensa|tickets? restaurante
    """
)
