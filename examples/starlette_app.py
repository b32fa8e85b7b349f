"""A web application whose blocking calls run on one pool: uvicorn starlette_app:app

The pool is the event loop's default executor, so `asyncio.to_thread`, `run_in_executor(None, …)`
and whatever libraries call that way use it, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from treadle import ThreadPoolExecutor  # or: from concurrent.futures import ThreadPoolExecutor

ROOT = Path.cwd()


def digest(path: Path) -> str:
    """Reads from a disk and keeps a processor busy: nothing that an event loop should do."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def digest_of_file(request: Request) -> JSONResponse:
    path = (ROOT / request.path_params["path"]).resolve()
    if not path.is_relative_to(ROOT) or not path.is_file():
        return JSONResponse({"error": "no such file"}, status_code=404)
    return JSONResponse({"sha256": await asyncio.to_thread(digest, path)})


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncGenerator[None]:
    with ThreadPoolExecutor(max_workers=8, thread_name_prefix="blocking") as pool:
        asyncio.get_running_loop().set_default_executor(pool)
        yield


app = Starlette(routes=[Route("/sha256/{path:path}", digest_of_file)], lifespan=lifespan)
