"""Makes `python -m experiments` the same as the `lightning` command."""

import sys

from experiments.cli import main

if __name__ == "__main__":
    sys.exit(main())
