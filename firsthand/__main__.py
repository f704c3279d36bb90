"""`python -m firsthand`, the same as `firsthand`."""

import sys

from firsthand.cli.main import main

sys.exit(main())
