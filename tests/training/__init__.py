"""Training of the classifier of messages: lines, weights, report (`make train`)."""
