"""The Playground: tinker with a small net on points in the plane, as on playground.tensorflow.org."""

import asyncio
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection

from fastapi import APIRouter, Request, WebSocket
from starlette.websockets import WebSocketDisconnect

from pipeline.app.pages import Page
from pipeline.app.play.process import begin
from pipeline.app.safety import Rate
from pipeline.errors import DataError
from pipeline.models.neuron import ACTIVATIONS

router = APIRouter(prefix="/playground")
PAGE = Page("playground", "Playground", "Tinker with a neural network, right here in your browser.", router)
SESSIONS = 8  # at a time
CSV_BYTES = 2**19
MESSAGES_PER_S, BURST = 300.0, 600.0
# Forked from a process that has torch but no threads: a session begins at once.
CONTEXT = multiprocessing.get_context("forkserver")
THREADS = ThreadPoolExecutor(2 * SESSIONS, thread_name_prefix="playground")
open_sessions: set[Connection] = set()


@router.get("/activations")
def activations() -> dict[str, dict[str, str]]:
    """The family of functions, with the formulas of each and its slope."""
    return {name: {"formula": one.formula, "slope": one.slope} for name, one in ACTIVATIONS.items()}


@router.post("/points")
async def points(request: Request) -> dict[str, object]:
    """The points of a CSV file, checked and scaled; nothing of it is kept here."""
    from pipeline.app.play.points import read_csv

    content = await request.body()
    if len(content) > CSV_BYTES:
        raise DataError(f"Your file: at most {CSV_BYTES:,} bytes, got {len(content):,}. Take fewer rows.")
    found, told = read_csv(content)
    return {"points": found, "told": told}


@router.websocket("/train")
async def train(socket: WebSocket) -> None:
    """One page's training: its messages go to a process, the process's frames to it."""
    await socket.accept()
    if len(open_sessions) >= SESSIONS:
        await socket.close(1013, f"{SESSIONS} playgrounds are open already. Close one.")
        return
    ours, theirs = CONTEXT.Pipe()
    open_sessions.add(ours)
    process = None
    try:
        process = await asyncio.get_running_loop().run_in_executor(THREADS, _start, theirs)
        tasks = {asyncio.create_task(_forward(socket, ours)), asyncio.create_task(_receive(socket, ours))}
        _, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        open_sessions.discard(ours)
        if process:
            process.kill()  # ends the wait of the thread that reads from it
        with suppress(RuntimeError, WebSocketDisconnect):
            await socket.close()


def warm() -> None:
    """Let the process that sessions are forked from load torch while the browser opens."""
    from multiprocessing import forkserver

    CONTEXT.set_forkserver_preload(["pipeline.app.play.session"])
    forkserver.ensure_running()


def _start(theirs: Connection) -> multiprocessing.process.BaseProcess:
    warm()
    process = CONTEXT.Process(target=begin, args=(theirs,), daemon=True)
    process.start()
    theirs.close()
    return process


async def _forward(socket: WebSocket, ours: Connection) -> None:
    """Frame by frame: while one is being sent, the pipe fills up and only its own process waits."""
    loop = asyncio.get_running_loop()
    with suppress(EOFError, OSError, WebSocketDisconnect, RuntimeError):
        while True:
            content = await loop.run_in_executor(THREADS, ours.recv_bytes)
            if content[:1] == b"j":
                await socket.send_text(content[1:].decode())
            else:
                await socket.send_bytes(content[1:])


async def _receive(socket: WebSocket, ours: Connection) -> None:
    rate, loop = Rate(MESSAGES_PER_S, BURST), asyncio.get_running_loop()
    with suppress(OSError, WebSocketDisconnect, RuntimeError, KeyError):
        while True:
            message = await socket.receive_text()
            if not rate.take():
                await socket.close(1008, "Too many messages.")
                return
            await loop.run_in_executor(THREADS, ours.send_bytes, message.encode())
