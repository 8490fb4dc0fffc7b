"""Train one configuration in this process: data and task are built, Lightning runs them, the model is stored.

Infrastructure is an argument, so the same code trains in a test and as one worker of a cluster.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Unpack

import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Callback, Trainer, seed_everything

from pipeline.config import Config, build, build_data, digest
from pipeline.data.batches import BatchedData, Shards
from pipeline.data.texts.vocabulary import FILE as VOCABULARY
from pipeline.data.texts.vocabulary import Vocabulary
from pipeline.errors import ConfigError, DataError, PipelineError
from pipeline.runs import checkpoints as stored_checkpoints
from pipeline.runs import interruption, trail
from pipeline.runs.events import EventLog
from pipeline.tasks.task import Task
from pipeline.training import cpu
from pipeline.training.callbacks import Progress, SampleImages, Unprofiled, WeightEMA
from pipeline.training.checkpointing import AtomicCheckpointIO, Checkpoints, StoppedError
from pipeline.training.data_module import DataModule
from pipeline.training.exchange import Alone, Exchange
from pipeline.training.sharding import ShardedStrategy
from pipeline.training.trail import TrailRecorder
from pipeline.types import CheckpointFacts, FitResult


def build_task(config: Config) -> Task:
    """The configured task around its net, its weights drawn from the seed.

    Raises: ConfigError where a class refuses its arguments, or is not a task or a net.
    """
    seed_everything(config["seed"], verbose=False)
    task, node = build(config["model"]), config["model"]
    if not isinstance(task, Task):
        raise ConfigError(f"model: {node['_target_']} is not a task. Derive it from pipeline.tasks.task.Task.")
    if not isinstance(task.net, torch.nn.Module):
        raise ConfigError(f"model.net: {node['net'].get('_target_')} is not a torch.nn.Module. Derive it from that.")
    return task


def fit(
    config: Config,
    *,
    data_dir: Path,
    run_dir: Path,
    exchange: Exchange | None = None,
    device: torch.device | None = None,
    prepare: Callable[[Trainer], Trainer] = lambda trainer: trainer,
    data_digest: str | None = None,
) -> FitResult:
    """Train as configured and leave the model in `run_dir/model`; resume from the newest checkpoint in `run_dir`.

    Every worker calls this, with its `exchange` and `device`; rank 0 writes. Weights depend on `trainer.shards`, not on
    the number of workers. `prepare` changes the Trainer before it starts. A run that is requested to stop
    (`interruption.request`) stores its state after the step and returns with `stopped`, without a model. The model of
    `requires.init_from` lies in `run_dir/init_from`, the predictions of `requires.teacher` in `run_dir/teacher`.

    Raises: DataError if the data's digest is not `data_digest`, where that is given.
    """
    torch.set_num_threads(config["cluster"]["threads_per_worker"])
    cpu.keep_memory()
    data, task = _data_and_task(config, data_dir, run_dir)
    facts = _facts(config, data, data_dir, data_digest)
    exchange = exchange or Alone()
    shards = Shards.of_worker(config["trainer"].get("shards", 1), exchange.rank, exchange.workers)
    data.shards, task.shards, task.own, task.data = shards, shards.count, shards.own, data
    event_log = EventLog(run_dir)
    recorder, checkpoints = TrailRecorder(), _checkpoints(config, run_dir, event_log, facts)
    callbacks = _callbacks(config, run_dir, event_log, recorder, checkpoints)
    strategy = ShardedStrategy(config["seed"], shards, exchange, device or _device(config, exchange.rank))
    trainer = prepare(_trainer(config, callbacks, run_dir, strategy))
    # Not `estimated_stepping_batches`, which drops the loader's state (Lightning's issue 20550).
    batches = len(data.train_dataloader())
    task.total_steps = config["trainer"]["max_epochs"] * -(-batches // config["trainer"]["accumulate_grad_batches"])
    stopped = False
    try:
        with memory(config):
            newest = stored_checkpoints.newest(run_dir / "checkpoints")
            trainer.fit(task, datamodule=DataModule(data), ckpt_path=newest, weights_only=True)
    except StoppedError:
        stopped = True
    else:
        if trainer.is_global_zero:
            store_model(config, task, data, run_dir / "model", recorder, trainer, **facts)
    finally:
        event_log.close()
    return FitResult(
        model_dir=run_dir / "model",
        metrics=checkpoints.metrics,
        steps=trainer.global_step,
        epochs=trainer.current_epoch,
        **checkpoints.count(trainer),
        workers=trainer.world_size,
        threads=torch.get_num_threads(),
        device=str(task.device),
        stopped=stopped,
    )


def _data_and_task(config: Config, data_dir: Path, run_dir: Path) -> tuple[BatchedData, Task]:
    """The data, pseudo-labelled where a teacher is required, and the task, initialised where a model is required."""
    data, task = build_data(config, data_dir), build_task(config)
    if config["requires"].get("teacher"):
        teacher = stored_checkpoints.parent_folder(run_dir, stored_checkpoints.TEACHER)
        (predictions,) = stored_checkpoints.weights(teacher).values()
        data.pseudo_label(predictions)
    data.setup()
    if origin := config["requires"].get("init_from"):
        _initialise(task, data, stored_checkpoints.parent_folder(run_dir, stored_checkpoints.INIT_FROM), origin)
    return data, task


def _facts(config: Config, data: BatchedData, data_dir: Path, expected: str | None) -> CheckpointFacts:
    """The digests that checkpoints and the model carry.

    Raises: DataError if the data's digest is not the expected one, where that is given.
    """
    found = data.describe().digest
    if expected not in (None, found):
        raise DataError(
            f"{data_dir}: expected {config['data']['name']} with digest {expected}, got {found}. "
            "Give every node the same data and the same packages."
        )
    return {"config_digest": digest(config), "data_digest": found}


def _checkpoints(config: Config, run_dir: Path, event_log: EventLog, facts: CheckpointFacts) -> Checkpoints:
    settings = config["trainer"]
    return Checkpoints(
        run_dir / "checkpoints",
        event_log,
        partial(interruption.requested, run_dir),
        every_s=settings["checkpoint_every_s"],
        every_steps=settings["checkpoint_every_steps"],
        keep=settings["keep_checkpoints"],
        facts=facts,
    )


def _callbacks(
    config: Config, run_dir: Path, event_log: EventLog, recorder: TrailRecorder, checkpoints: Checkpoints
) -> list[Callback]:
    decay = config["trainer"]["ema_decay"]
    return [
        *([WeightEMA(decay)] if decay is not None else []),
        Progress(event_log),
        SampleImages(run_dir / "samples"),
        recorder,  # before a checkpoint is taken, which holds its entries
        checkpoints,
    ]


def _initialise(task: Task, data: BatchedData, folder: Path, origin: str) -> None:
    """Start a task from the weights of the stored model `origin`.

    Raises: ConfigError if that model numbers words differently.
    """
    task.load_initial_weights(stored_checkpoints.weights(folder), origin)
    theirs = Vocabulary.load(folder) if (folder / VOCABULARY).is_file() else None
    if theirs != data.input_vocabulary():
        raise ConfigError(
            f"requires.init_from: {origin} numbers words differently. Set data.vocabulary_size as that model has it."
        )


def _device(config: Config, rank: int) -> torch.device:
    """The device of a worker of this machine."""
    gpus = config["cluster"]["gpus_per_worker"]
    return torch.device("cuda", rank % torch.cuda.device_count()) if gpus else torch.device("cpu")


def _trainer(config: Config, callbacks: list[Callback], run_dir: Path, strategy: ShardedStrategy) -> Trainer:
    settings, gpus = config["trainer"], config["cluster"]["gpus_per_worker"]
    return Trainer(
        accelerator="gpu" if gpus else "cpu",
        devices=1,
        strategy=strategy,
        # Named, or Lightning would take a Slurm job's variables for its own workers'.
        plugins=[LightningEnvironment(), AtomicCheckpointIO()],
        precision=settings["precision"],
        max_epochs=settings["max_epochs"],
        accumulate_grad_batches=settings["accumulate_grad_batches"],
        gradient_clip_val=settings["gradient_clip_val"],
        callbacks=callbacks,
        profiler=Unprofiled(),
        logger=False,
        default_root_dir=run_dir,
        # CPUs are deterministic at a fixed number of threads; there the switch would only fill memory.
        deterministic="warn" if gpus else None,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def store_model(
    config: Config,
    task: Task,
    data: BatchedData,
    folder: Path,
    recorder: TrailRecorder,
    trainer: Trainer,
    **facts: Unpack[CheckpointFacts],
) -> None:
    """Weights, their trail and all that rebuilds and feeds them, in one verified folder that needs no run."""

    def write(aside: Path) -> None:
        stored_checkpoints.save_weights(task.net, aside / stored_checkpoints.MODEL)
        stored_checkpoints.save_config(config, data.labels, aside)
        if (vocabulary := data.input_vocabulary()) is not None:
            vocabulary.save(aside)
        trail.write(aside, recorder.entries, step=trainer.global_step, epoch=trainer.current_epoch)

    stored_checkpoints.publish(folder, write, **facts)


@contextmanager
def memory(config: Config) -> Iterator[None]:
    """Raises: PipelineError with a smaller batch where the block finds no memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        text = str(error)
        # On CPUs torch tells it apart in words only.
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and "can't allocate memory" not in text:
            raise
        size, parts = config["data"]["batch_size"], config["trainer"]["accumulate_grad_batches"]
        half = f"data.batch_size={size // 2} trainer.accumulate_grad_batches={parts * 2}, which learns from as many"
        step = f"Try {half}" if size > 1 else "Choose a smaller model"
        raise PipelineError(
            f"Out of memory at data.batch_size={size}: {text.splitlines()[0][:300]}. {step}."
        ) from error
