"""A server's bad days: a proxy in front of it that refuses, delays, hangs, loses answers or answers with an error."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

Mode = Literal["well", "refuses", "hangs", "slow", "loses answers", "429", "500", "flaps"]
DELAY_S = 3.0  # of each answer of a slow server
FLAP_S = 0.7


class Proxy:
    """Forwards a loopback port to another, one request a connection, as well as its `mode` lets it."""

    def __init__(self, upstream: int):
        self.upstream, self.mode, self.requests = upstream, "well", 0
        self.loop = asyncio.new_event_loop()
        self.server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self.server
        self.server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await asyncio.sleep(0)  # what they closed is closed in the loop's next turn

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            try:
                await self._answer(reader, writer, self._mode())
            finally:
                writer.close()

    def _mode(self) -> str:
        if self.mode == "flaps":
            return "refuses" if int(self.loop.time() / FLAP_S) % 2 else "well"
        return self.mode

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, mode: str) -> None:
        self.requests += 1
        if mode == "refuses":
            writer.transport.abort()
            return
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        body = await reader.readexactly(int(fields.get(b"content-length", 0)))
        if mode == "hangs":
            while self.mode == "hangs":
                await asyncio.sleep(0.05)
            return
        if mode in ("429", "500"):
            writer.write(b"HTTP/1.1 %b No\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n" % mode.encode())
            await writer.drain()
            return
        if mode == "slow":
            await asyncio.sleep(DELAY_S)
        answer = await self._forward(head, body)
        if mode != "loses answers":
            writer.write(answer)
            await writer.drain()

    async def _forward(self, head: bytes, body: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.upstream)
        first, _, rest = head.partition(b"\r\n")
        kept = [line for line in rest.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        try:
            writer.write(first + b"\r\nConnection: close\r\n" + b"\r\n".join(kept) + body)
            return await reader.read()
        finally:
            writer.close()


@contextlib.contextmanager
def proxy(upstream: int) -> Iterator[Proxy]:
    """A proxy in a thread of its own."""
    faulty = Proxy(upstream)
    thread = threading.Thread(target=faulty.loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(faulty.start(), faulty.loop).result(10)
    try:
        yield faulty
    finally:
        asyncio.run_coroutine_threadsafe(faulty.stop(), faulty.loop).result(10)
        faulty.loop.call_soon_threadsafe(faulty.loop.stop)
        thread.join(10)
        faulty.loop.close()


@contextlib.contextmanager
def mlflow_server(folder: Path) -> Iterator[int]:
    """MLflow's own server, its data base and artifacts in a folder; the loopback port it listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "art")]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                break
            except OSError:
                time.sleep(0.3)
        yield port
    finally:
        os.killpg(process.pid, 15)
        process.wait(20)
