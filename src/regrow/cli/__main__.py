"""`python -m regrow.cli`, for where the `regrow` command is not on the path."""

import sys

from . import main

sys.exit(main())
