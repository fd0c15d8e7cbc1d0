"""Session states under their former place."""

from db.states import SESSION_STATES as SESSION_STATES
