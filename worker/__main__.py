"""`python -m worker` is `chasqui`."""

from worker.operate.cli import main

main()
