"""Print the sha256 of every file below a directory, as `sha256sum` does: hash_tree.py DIR"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from treadle import ThreadPoolExecutor, as_completed  # or: from concurrent.futures import ...


def files_below(directory: Path) -> Iterator[Path]:
    """Regular files only: opening a pipe would wait for ever."""
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path


def size_of(path: Path) -> int:
    return path.stat().st_size


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def main(directory: Path) -> int:
    paths = sorted(files_below(directory))
    digests: dict[Path, str] = {}
    with ThreadPoolExecutor(thread_name_prefix="hash") as pool:
        sizes = dict(zip(paths, pool.map(size_of, paths), strict=True))
        futures = {pool.submit(sha256_of, path): path for path in paths}
        with tqdm(total=sum(sizes.values()), unit="B", unit_scale=True) as bar:
            for future in as_completed(futures):
                path = futures[future]
                try:
                    digests[path] = future.result()
                except OSError as error:
                    bar.write(f"{path}: {error.strerror}", file=sys.stderr)
                bar.update(sizes[path])
    print("\n".join(f"{digests[path]}  {path}" for path in paths if path in digests))
    return 0 if len(digests) == len(paths) else 1


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit("usage: hash_tree.py DIR")
    sys.exit(main(Path(sys.argv[1])))
