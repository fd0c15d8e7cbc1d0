"""Flower, as operators start it: `python -m worker.flower [options of flower]`."""

from worker.operate.flower import main

if __name__ == "__main__":
    main()
