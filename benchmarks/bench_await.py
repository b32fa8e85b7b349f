"""What does an awaited task cost, and `to_thread`, on asyncio and on trio?

A gather makes a task of asyncio's for each call: with coroutines that do nothing it costs what the
line "asyncio's own part" says, and no pool can make that less.
"""

from __future__ import annotations

import sys

from run import main

if __name__ == "__main__":
    sys.exit(main(groups=["await"]))
