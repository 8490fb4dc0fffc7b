"""Batch inference on a cluster with Ray Data: each worker loads the model once and reads its inputs itself."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.errors import LaunchError
from pipeline.inference.inputs import InputChunk
from pipeline.inference.requests import predict_chunk
from pipeline.launch.cluster import start
from pipeline.launch.machine import available_cores
from pipeline.types import Prediction


def predict_chunks(model_dir: Path, chunks: Sequence[InputChunk]) -> Iterator[list[Prediction]]:
    """Yield the predictions of each chunk of inputs, in order, as they are computed.

    The cluster is the one of RAY_ADDRESS, or a private one on this machine. Its nodes must see the model and the files
    under the same paths.

    Raises: LaunchError if the cluster can't be reached.
    """
    if not chunks:
        return
    import ray
    import ray.data

    address = os.environ.get("RAY_ADDRESS")
    connects = not ray.is_initialized()
    if connects and not address:
        start(available_cores(), log_to_driver=False)
    elif connects:
        try:
            ray.init(address=address, log_to_driver=False)
        except ConnectionError as error:
            raise LaunchError(f"RAY_ADDRESS={address}: no cluster answers there ({error}). Start it first.") from error
    try:
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.enable_progress_bars = False
        workers = max(1, min(int(ray.cluster_resources()["CPU"]) - 1, len(chunks)))
        rows = ray.data.from_items([{"chunk": chunk} for chunk in chunks], override_num_blocks=len(chunks))
        predicted = rows.map(
            _Worker,
            fn_constructor_args=(str(model_dir.absolute()), str(Path.cwd())),
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=1,
        )
        for row in predicted.iter_rows():
            yield row["predictions"]
    finally:
        if connects:
            ray.shutdown()


class _Worker:
    """A worker process with the loaded model."""

    def __init__(self, model_dir: str, folder: str):
        import torch

        from pipeline.kinds import load

        os.chdir(folder)  # relative paths are as they were typed
        torch.set_num_threads(1)
        self.predictor = load(Path(model_dir))

    def __call__(self, row: dict[str, InputChunk]) -> dict[str, list[Prediction]]:
        return {"predictions": predict_chunk(self.predictor, row["chunk"])}
