"""Which rivals can be measured here, and how do the others get here?

The adapters are in `treadle.bench.rivals`, shared with ``python -m treadle bench``.
"""

from __future__ import annotations

from treadle.bench.rivals import HOW_TO_INSTALL, rival_versions


def main() -> None:
    """One line for each optional rival."""
    installed = rival_versions()
    for name, how in HOW_TO_INSTALL.items():
        found = installed.get(name)
        print(f"{name} {found}" if found else f"{name}: not installed; {how}")


if __name__ == "__main__":
    main()
