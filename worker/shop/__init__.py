"""The shop's own word: its facts, how its country writes amounts, and our fixed texts in its form of address."""
