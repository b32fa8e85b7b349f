"""What does an item of a stream, or of a generator in a worker, cost its reader?

The rival pays a hop to a thread and back for each item, which is what one writes without them.
"""

from __future__ import annotations

import sys

from run import main

if __name__ == "__main__":
    sys.exit(main(groups=["streams"]))
