"""What does a task cost that leaves the GIL for a microsecond, for long, or never?

A plain loop stands beside the pools: for the shortest calls no pool can pay.
"""

from __future__ import annotations

import sys

from run import main

if __name__ == "__main__":
    sys.exit(main(groups=["blocking"]))
