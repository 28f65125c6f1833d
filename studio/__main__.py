"""`python -m studio`: the studio from a shell."""

import os
import sys

from studio.cli import main

if __name__ == "__main__":
    if sys.getfilesystemencoding() != "utf-8":  # a locale of ASCII; names and rows are UTF-8
        os.execv(sys.executable, [sys.executable, "-X", "utf8", "-m", "studio", *sys.argv[1:]])
    sys.exit(main())
