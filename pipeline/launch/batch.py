"""Answers to many inputs on a cluster, by Ray Data: each worker loads the model once and reads its inputs itself."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import LaunchError
from pipeline.inference.inputs import InputChunk
from pipeline.inference.requests import predict_chunk
from pipeline.launch.cluster import cores, start
from pipeline.types import Prediction


def predict_chunks(model_dir: Path, chunks: Sequence[InputChunk]) -> Iterator[list[Prediction]]:
    """The answers to each chunk, in their order, as they come.

    The cluster is RAY_ADDRESS's, or one on this machine. Its nodes must see the model and the files under the same
    names.

    Raises: LaunchError if the cluster can't be reached.
    """
    if not chunks:
        return
    import ray
    import ray.data

    address = os.environ.get("RAY_ADDRESS")
    ours = not ray.is_initialized()
    if ours and not address:
        start(cores(), log_to_driver=False)
    elif ours:
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
        said = rows.map(
            _Answering,
            fn_constructor_args=(str(model_dir.absolute()), str(Path.cwd())),
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_cpus=1,
        )
        for row in said.iter_rows():
            yield row["answers"]
    finally:
        if ours:
            ray.shutdown()


class _Answering:
    """One worker: a model, ready to answer chunks."""

    def __init__(self, model_dir: str, folder: str):
        import torch

        from pipeline.kinds import load

        os.chdir(folder)  # the files' names are as they were typed
        torch.set_num_threads(1)
        self.predictor = load(Path(model_dir))

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"answers": predict_chunk(self.predictor, row["chunk"])}
