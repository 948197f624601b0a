"""`python -m staticgraph` is the command `staticgraph`."""

import sys

from staticgraph.cli import main

sys.exit(main())
