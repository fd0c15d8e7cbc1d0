"""Replies made before anybody asks: what will be asked, which of it has no reply, and what that may cost."""
