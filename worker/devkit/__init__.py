"""For trials without providers: their simulator, a demonstration, a sample catalogue."""
