"""The shop's own word: its facts, its opening hours, how it writes money and addresses its customers."""
