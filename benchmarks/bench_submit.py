"""What does a task cost from `submit` to its result, in a burst of many?

The standard library, `fastthreadpool` (no futures) and `multiprocessing.pool` stand beside it.
"""

from __future__ import annotations

import sys

from run import main

if __name__ == "__main__":
    sys.exit(main(groups=["submit"]))
