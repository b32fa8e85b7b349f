"""What does `loop.run_in_executor` cost, unchanged code, at once and in turn?

Most of it is asyncio's own: its floor is a `call_soon_threadsafe` for each call.
"""

from __future__ import annotations

import sys

from run import main

if __name__ == "__main__":
    sys.exit(main(groups=["asyncio"]))
