"""Ray Train's trainer without the actors that a run here does not use."""

from typing import Any

from ray.train.v2._internal.callbacks.datasets import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

# Each starts a process for each group. The first serves data sets of Ray, which are not used. The second gives back the
# resources of a group whose controller died, as `workers` does itself; at a group's end Ray waits up to 12 s for it.
UNUSED = (DatasetsCallback, PlacementGroupCleanerCallback)


class Trainer(DataParallelTrainer):  # type: ignore[misc]
    """Trains on a group of workers."""

    def _create_default_callbacks(self) -> list[Any]:
        return [callback for callback in super()._create_default_callbacks() if not isinstance(callback, UNUSED)]
