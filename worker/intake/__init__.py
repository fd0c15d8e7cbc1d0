"""From the inbound stream to accepted messages, and the sweep for what was lost."""
