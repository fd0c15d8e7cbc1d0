"""Spanish: normalising, classifying, and which questions may share an answer."""
