"""What does it cost to wait: for one task at a time, for all, beside a busy thread?

Two raw locks show what this machine needs to hand a call to a thread and back.
"""

from __future__ import annotations

import sys

from run import main

if __name__ == "__main__":
    sys.exit(main(groups=["waiting"]))
