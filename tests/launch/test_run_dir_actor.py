"""The actor of a run's folder, and what a worker elsewhere sends to it, without Ray."""

from pathlib import Path

from pipeline.launch.run_dir_actor import RunDirActor


def test_the_node_of_a_worker_that_starts_before_the_first_rank_is_known(tmp_path: Path) -> None:
    driver = RunDirActor(str(tmp_path), keep=1)
    driver.enter(1, 2, "node-1", 11)
    driver.enter(0, 2, "node-0", 10)
    assert driver.placement() == ({"node-0", "node-1"}, None)


def test_a_worker_that_starts_again_elsewhere_leaves_its_former_node(tmp_path: Path) -> None:
    driver = RunDirActor(str(tmp_path), keep=1)
    for rank, node in ((0, "node-0"), (1, "node-1"), (1, "node-2"), (0, "node-0")):
        driver.enter(rank, 2, node, 10)
    assert driver.placement() == ({"node-0", "node-2"}, None)
    driver.forget_nodes()
    assert driver.placement() == (set(), None)
