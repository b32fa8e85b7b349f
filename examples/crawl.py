"""Crawl a small web site with a blocking client under asyncio: crawl.py [PAGES]"""

from __future__ import annotations

import asyncio
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.request import urlopen

from treadle import ThreadPoolExecutor  # or: from concurrent.futures import ThreadPoolExecutor


class Page(BaseHTTPRequestHandler):
    """Page n links to 2n and 2n + 1, and back to the first: together they link to all pages."""

    def do_GET(self) -> None:
        number = int(self.path.strip("/") or 1)
        links = "".join(f'<a href="/{n}">{n}</a> ' for n in (1, 2 * number, 2 * number + 1))
        body = f"<title>Page {number}</title>{links}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # with the usual 5, a burst of connections waits for retries


def fetch(url: str) -> str:
    with urlopen(url, timeout=30) as response:
        return str(response.read(), "utf-8")


async def crawl(site: str, limit: int) -> int:
    """Follow links from page to page, level by level, until ``limit`` pages are read."""
    loop = asyncio.get_running_loop()
    seen, frontier = {"/1"}, ["/1"]
    with ThreadPoolExecutor(8, thread_name_prefix="fetch") as pool:
        while frontier:
            calls = [loop.run_in_executor(pool, fetch, site + path) for path in frontier]
            pages = await asyncio.gather(*calls)
            found = [link for page in pages for link in re.findall(r'href="([^"]+)"', page)]
            frontier = [link for link in dict.fromkeys(found) if link not in seen]
            del frontier[limit - len(seen) :]
            seen.update(frontier)
    return len(seen)


if __name__ == "__main__":
    with Server(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 200
        print(asyncio.run(crawl(f"http://127.0.0.1:{server.server_port}", wanted)), "pages")
        server.shutdown()
