"""How many requests does a web server answer whose handlers call blocking code in a thread?

    python benchmarks/bench_server.py [--seconds S] [--rounds N] [--connections N]

aiohttp on uvloop, every request one `run_in_executor` of about 50 us outside of the GIL, loaded by
`wrk` on the same machine, which takes its share of the processors: so the ratio counts, not the
figures.  Needs `wrk`, and `pip install aiohttp uvloop`.
"""

from __future__ import annotations

import argparse
import asyncio
import concurrent.futures
import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any, Final

import treadle

POOLS: Final[dict[str, Callable[[int], concurrent.futures.ThreadPoolExecutor]]] = {
    "treadle": treadle.ThreadPoolExecutor,
    "stdlib": concurrent.futures.ThreadPoolExecutor,
}
PAUSE: Final = 50e-6
UNITS: Final = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def blocking_call() -> Callable[[], str]:
    """A call that takes about 50 us, most of them without the GIL."""
    data = bytes(1 << 20)
    start = perf_counter()
    for _ in range(20):
        hashlib.sha256(data).digest()
    seconds_a_byte = (perf_counter() - start) / 20 / len(data)
    part = data[: max(4096, int(PAUSE / seconds_a_byte))]
    return lambda: hashlib.sha256(part).hexdigest()


def serve(pool_name: str) -> None:
    """The server: prints its port, and runs until it is killed."""
    import uvloop
    from aiohttp import web

    call = blocking_call()

    async def main() -> None:
        pool = POOLS[pool_name](4)
        loop = asyncio.get_running_loop()

        async def handle(_: web.Request) -> web.Response:
            return web.Response(text=await loop.run_in_executor(pool, call))

        app = web.Application()
        app.router.add_get("/", handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server: Any = site._server
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Event().wait()

    uvloop.run(main())


def load(pool_name: str, connections: int, seconds: int) -> tuple[float, float]:
    """Requests a second, and the 99th percentile of the answers' times in ms."""
    with subprocess.Popen(
        [sys.executable, __file__, "--serve", pool_name], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/"
            options = ["-t1", f"-c{connections}", "--latency"]
            subprocess.run(["wrk", *options, "-d1s", url], check=True, capture_output=True)
            answer = subprocess.run(
                ["wrk", *options, f"-d{seconds}s", url], check=True, capture_output=True, text=True
            ).stdout
        finally:
            server.kill()
    rate = re.search(r"Requests/sec:\s+([\d.]+)", answer)
    late = re.search(r"99%\s+([\d.]+)(us|ms|s)", answer)
    assert rate is not None
    assert late is not None
    return float(rate[1]), float(late[1]) * UNITS[late[2]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks/bench_server.py")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--serve", choices=POOLS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
        return 0
    if shutil.which("wrk") is None:
        parser.error("wrk is not installed")
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in POOLS}
    for _ in range(options.rounds):  # interleaved: a slow moment of the machine hits both
        for name, rounds in found.items():
            rounds.append(load(name, options.connections, options.seconds))
    for name, rounds in found.items():
        rate, late = (median(column) for column in zip(*rounds, strict=True))
        print(f"{name:8} {rate:8,.0f} requests/s, p99 {late:6.2f} ms")
    ratio = median(ours[0] / theirs[0] for ours, theirs in zip(*found.values(), strict=True))
    print(f"treadle answers {ratio:.2f} times as many")
    return 0


if __name__ == "__main__":
    sys.exit(main())
