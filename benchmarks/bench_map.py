"""What does an item of `map` cost when the function does nothing?

The hard rival is `ThreadPool.map`, which runs `list(map(...))` in 16 pieces; the floor is the loop.
"""

from __future__ import annotations

import sys

from run import main

if __name__ == "__main__":
    sys.exit(main(groups=["map"]))
