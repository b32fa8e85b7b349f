"""What tests share: libraries side by side, waiting without hoping, child processes, logs."""

from __future__ import annotations
