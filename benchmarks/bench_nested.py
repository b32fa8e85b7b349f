"""What does a task cost that waits for tasks of its own pool?

The standard pool needs a worker for each task that waits, or it deadlocks.
"""

from __future__ import annotations

import sys

from run import main

if __name__ == "__main__":
    sys.exit(main(groups=["nested"]))
