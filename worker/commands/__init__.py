"""The commands of `chasqui`, each in a module of its own."""
