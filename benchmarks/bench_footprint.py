"""What does a pool cost by being there: made, imported, idle, full of tasks?

Memory and import are measured in processes of their own.
"""

from __future__ import annotations

import sys

from run import main

if __name__ == "__main__":
    sys.exit(main(groups=["footprint"]))
