"""Faults of downloaded and stored data."""

from benchmarks.faults.fault import Fault

RAW, STORE = "tests/data/images/test_idx.py::test_", "tests/data/test_store.py::test_"
DVC = "tests/test_dvc.py::test_"
FAULTS = [
    Fault(
        14,
        "corrupt idx: flipped byte, truncated, wrong magic, lying sizes, gzip bomb",
        "an error of one line with file, expected and found value; memory bounded",
        (
            f"{RAW}a_cut_or_lengthened_idx_file_is_refused",
            f"{RAW}a_truncated_gzip_is_refused",
            f"{RAW}another_magic_is_refused_and_shown",
            f"{RAW}absurd_dimensions_are_refused_before_any_memory_is_taken",
            f"{RAW}a_gzip_bomb_costs_no_more_memory_than_its_header_promises",
            "tests/data/images/test_image_data.py::test_changed_bytes_are_refused",
        ),
    ),
    Fault(
        15,
        "bad review archive: traversal, link, bad UTF-8, empty review",
        "refused, nothing written outside",
        (f"{RAW}a_bad_member_is_named_and_nothing_is_written", f"{RAW}links_and_devices_are_refused"),
    ),
    Fault(
        16,
        "wrong checksum",
        "error with both digests; the file is moved to `.cache/`",
        (f"{STORE}a_wrong_file_is_set_aside_and_named_with_both_digests",),
    ),
    Fault(
        17,
        "mirror down, 404, slow, truncated, lying, redirecting to `file:`",
        "tries the next mirror; resumes a broken download; has a deadline; lists what was tried",
        (
            f"{STORE}a_mirror_that_misbehaves_is_named_and_leaves_nothing",
            f"{STORE}the_next_mirror_is_asked_when_one_has_nothing",
            f"{STORE}a_body_that_breaks_off_is_resumed_where_it_stopped",
            f"{STORE}a_server_that_drips_meets_the_deadline",
            f"{STORE}a_mirror_that_is_down_fails_fast",
        ),
    ),
    Fault(
        18,
        "DVC killed mid-pull, mid-repro; its stale lock",
        "the next run succeeds; the dead process is named",
        by_hand="DVC's own behaviour. Commit a0342f4 has tests of DVC 3.67 that kill a pull and a repro; the suite now "
        "tests this project only.",
    ),
    Fault(
        19,
        "bit rot in DVC's cache",
        "found by the pipeline's digest, restored from the mirror",
        (f"{DVC}bit_rot_in_dvcs_cache_is_found_by_our_digest_and_mended_from_the_mirror",),
    ),
]
