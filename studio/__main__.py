"""`python -m studio`: the studio from a shell."""

import sys

from studio.cli import main

if __name__ == "__main__":
    sys.exit(main())
