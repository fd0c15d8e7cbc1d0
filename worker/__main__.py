"""`python -m worker` is `chasqui`."""

from worker.cli import main

main()
