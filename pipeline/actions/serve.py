"""Serve a stored model over HTTP on loopback."""

from collections.abc import Callable
from pathlib import Path

from pipeline.actions.doctor import port_owner
from pipeline.errors import LaunchError
from pipeline.inference.requests import input_type, model_name
from pipeline.kinds import load
from pipeline.runs import lookup


def serve(run: str, *, root: Path, port: int, replicas: int, print_line: Callable[[str], None]) -> None:
    """Serve a model until interrupted.

    Raises: LaunchError if there is no such model, or the port is in use; CheckpointError if the model does not verify.
    """
    if owner := port_owner(port):
        raise LaunchError(f"Port {port} is used by {owner}. Stop it, or use `pipeline serve {run} --port {port + 1}`.")
    folder = lookup.model_dir(run, root)
    predictor = load(folder)  # an error shows here, not in a replica's log
    print_line(f"model       {model_name(predictor)}, takes {input_type(predictor)}; starting {replicas} replica(s)")

    from pipeline.launch import serve as server
    from pipeline.launch.http_body import example

    def started() -> None:
        address = f"http://{server.HOST}:{port}"
        print_line(f"predict     POST {address}/predict")
        print_line(f"            {example(input_type(predictor), address)}")
        print_line(f"explained   {address}/docs")
        print_line(f"health      {address}/health")
        print_line(f"OpenAPI     {address}/openapi.json  (Ctrl-C stops it)")

    server.run(folder, port=port, replicas=replicas, started=started)
