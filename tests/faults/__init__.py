"""The fault suite: real processes, killed, stopped and cut off while customers write, and a strict checker."""
