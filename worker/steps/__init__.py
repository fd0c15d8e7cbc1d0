"""The steps of the chain over batches of turns, and what a process is built of."""
