"""`python -m ei`: the command, without its script."""

import sys

from ei.cli import main

sys.exit(main())
