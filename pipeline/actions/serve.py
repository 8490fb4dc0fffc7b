"""A stored model as a server, on loopback."""

from collections.abc import Callable
from pathlib import Path

from pipeline.actions import runs
from pipeline.actions.doctor import port_owner
from pipeline.answer import named_model, takes
from pipeline.errors import LaunchError
from pipeline.kinds import load


def serve(run: str, *, root: Path, port: int, replicas: int, say: Callable[[str], None]) -> None:
    """Serve a model until interrupted.

    Raises: LaunchError if there is no such model, or the port is taken; CheckpointError if the model is not whole.
    """
    if owner := port_owner(port):
        raise LaunchError(f"Port {port} is used by {owner}. Stop it, or use `pipeline serve {run} --port {port + 1}`.")
    folder = runs.model_dir(run, root)
    predictor = load(folder)  # what is wrong with it is said here, not in a replica's log
    say(f"model       {named_model(predictor)}, takes {takes(predictor)}; starting {replicas} replica(s)")

    from pipeline.launch import serve as server

    def started() -> None:
        address = f"http://{server.HOST}:{port}"
        say(f"ask it      POST {address}/predict")
        say(f"health      {address}/health")
        say(f"OpenAPI     {address}/openapi.json  (Ctrl-C stops it)")

    server.run(folder, port=port, replicas=replicas, started=started)
