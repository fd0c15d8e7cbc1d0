"""The conversation of one customer (`session`) and what of it is being answered now (`turn`)."""
