"""What a reply cost and how long it took: recording and reporting."""
