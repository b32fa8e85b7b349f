"""Give a slow call a limited time, and have it stop when nobody waits any more: slow_call.py"""

from __future__ import annotations

import asyncio
import time

import treadle


def count_primes(limit: int) -> int:
    """A calculation in steps: between them it asks whether anybody still wants the answer."""
    primes: list[int] = []
    for number in range(2, limit):
        if number % 1000 == 0:
            treadle.check_cancelled()
        if all(number % prime for prime in primes if prime * prime <= number):
            primes.append(number)
    return len(primes)


async def main() -> None:
    with treadle.ThreadPoolExecutor(max_workers=2) as pool:
        print("primes below 5,000:", await asyncio.wait_for(pool.submit(count_primes, 5_000), 60))
        begin = time.monotonic()
        try:
            await asyncio.wait_for(pool.submit(count_primes, 10**9), timeout=0.2)
        except asyncio.TimeoutError:
            print("primes below 1,000,000,000: not in time")
    # The pool's end waits for its calls: this one has stopped.
    print("stopped:", time.monotonic() - begin < 30)


if __name__ == "__main__":
    asyncio.run(main())
