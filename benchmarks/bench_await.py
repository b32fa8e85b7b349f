"""What does an awaited task cost, and `to_thread`, on asyncio and on trio?

A gather makes a task of asyncio's for each call.  What is left of its time when no threads are
involved at all is in the lines "coroutines that do nothing" and "a pool without threads".
"""

from __future__ import annotations

import sys

from run import main

if __name__ == "__main__":
    sys.exit(main(groups=["await"]))
