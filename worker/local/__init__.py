"""A whole shop on one machine: embedded servers, a provider simulator, a sample catalogue and conversation."""
