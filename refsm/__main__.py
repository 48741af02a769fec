"""`python -m refsm` is the `refsm` command."""
import sys

from refsm.cli import main

sys.exit(main())
