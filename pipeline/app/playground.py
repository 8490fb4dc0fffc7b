"""Playground page: train a small network on points of the plane, as on playground.tensorflow.org."""

import asyncio
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection

from fastapi import APIRouter, Request, WebSocket
from starlette.websockets import WebSocketDisconnect

from pipeline.app.pages import Page
from pipeline.app.play.process import run_process
from pipeline.app.safety import RateLimit
from pipeline.errors import DataError
from pipeline.models.neuron import ACTIVATIONS

router = APIRouter(prefix="/playground")
PAGE = Page("playground", "Playground", "Tinker with a neural network, right here in your browser.", router)
SESSIONS = 8  # at a time
CSV_BYTES = 2**19
MESSAGES_PER_S, BURST = 300.0, 600.0
# Forked from a process that has imported torch and runs no threads, a session starts at once.
CONTEXT = multiprocessing.get_context("forkserver")
THREADS = ThreadPoolExecutor(2 * SESSIONS, thread_name_prefix="playground")
open_sessions: set[Connection] = set()


@router.get("/activations")
def activations() -> dict[str, dict[str, str]]:
    """The activation functions with the formulas of each and of its slope."""
    return {
        name: {"formula": activation.formula, "slope": activation.slope} for name, activation in ACTIVATIONS.items()
    }


@router.post("/points")
async def points(request: Request) -> dict[str, object]:
    """The points of a CSV file, validated and scaled; the server stores none of them."""
    from pipeline.app.play.csv_file import read_csv

    content = await request.body()
    if len(content) > CSV_BYTES:
        raise DataError(f"Your file: expected at most {CSV_BYTES:,} bytes, got {len(content):,}. Use fewer rows.")
    rows, summary = read_csv(content)
    return {"points": rows, "summary": summary}


@router.websocket("/train")
async def train(socket: WebSocket) -> None:
    """Connect a page with a process that trains for it."""
    await socket.accept()
    if len(open_sessions) >= SESSIONS:
        await socket.close(1013, f"{SESSIONS} Playground pages are open already. Close one.")
        return
    server_end, process_end = CONTEXT.Pipe()
    open_sessions.add(server_end)
    process = None
    try:
        process = await asyncio.get_running_loop().run_in_executor(THREADS, _start, process_end)
        tasks = {asyncio.create_task(_forward(socket, server_end)), asyncio.create_task(_receive(socket, server_end))}
        _, unfinished = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        open_sessions.discard(server_end)
        if process:
            process.kill()  # ends the blocking read in `_forward`
        with suppress(RuntimeError, WebSocketDisconnect):
            await socket.close()


def preload() -> None:
    """Start the process that sessions are forked from; it imports torch while the browser opens."""
    from multiprocessing import forkserver

    CONTEXT.set_forkserver_preload(["pipeline.app.play.session"])
    forkserver.ensure_running()


def _start(process_end: Connection) -> multiprocessing.process.BaseProcess:
    preload()
    process = CONTEXT.Process(target=run_process, args=(process_end,), daemon=True)
    process.start()
    process_end.close()
    return process


async def _forward(socket: WebSocket, server_end: Connection) -> None:
    """Send the process's messages one by one: while one is on its way, only its own process waits."""
    loop = asyncio.get_running_loop()
    with suppress(EOFError, OSError, WebSocketDisconnect, RuntimeError):
        while True:
            content = await loop.run_in_executor(THREADS, server_end.recv_bytes)
            if content[:1] == b"j":
                await socket.send_text(content[1:].decode())
            else:
                await socket.send_bytes(content[1:])


async def _receive(socket: WebSocket, server_end: Connection) -> None:
    rate, loop = RateLimit(MESSAGES_PER_S, BURST), asyncio.get_running_loop()
    with suppress(OSError, WebSocketDisconnect, RuntimeError, KeyError):
        while True:
            message = await socket.receive_text()
            if not rate.take():
                await socket.close(1008, "Too many messages.")
                return
            await loop.run_in_executor(THREADS, server_end.send_bytes, message.encode())
