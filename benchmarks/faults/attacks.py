"""Hostile input: its surface, the default that refuses it, and the tests that fail without it."""

from dataclasses import dataclass

CONFIG, JOBS, TINY = (
    "tests/config/test_compose.py::test_",
    "tests/launch/test_jobs.py::test_",
    "tests/test_tiny.py::test_",
)
ARCHIVE, RAW, STORE = (
    "tests/data/test_archive.py::test_",
    "tests/data/images/test_idx.py::test_",
    "tests/data/test_store.py::test_",
)
SAFETY, TRACKING = "tests/app/test_safety.py::test_", "tests/tracking/test_address.py::test_"


@dataclass(frozen=True, slots=True)
class Attack:
    """A row of the page's second table."""

    surface: str
    default: str
    tests: tuple[str, ...]


ATTACKS = [
    Attack(
        "Ray's dashboard and jobs",
        "a token is required, its file has mode 0600; the dashboard listens on loopback; another machine's address is "
        "refused without a token; a cluster that the pipeline starts has no dashboard",
        (
            f"{JOBS}a_job_is_submitted_listed_followed_and_stopped",
            f"{JOBS}an_address_is_refused_where_it_can_not_be_trusted_or_reached",
            f"{JOBS}the_token_is_its_owners_alone",
            "tests/launch/test_cluster.py::test_a_ray_of_ones_own_has_a_private_token_no_dashboard_and_is_no_other",
        ),
    ),
    Attack(
        "MLflow's server",
        "loopback, named hosts, no job execution, no unpickling; a database password is not on its command line",
        (
            f"{TRACKING}the_server_listens_on_loopback_alone_and_runs_no_jobs",
            f"{TRACKING}a_data_bases_password_is_not_on_the_servers_command_line",
            "tests/actions/test_ui.py::test_the_pages_are_served_on_loopback_until_interrupted",
        ),
    ),
    Attack(
        "models",
        "safetensors and ONNX with digests and a signature; no artifact is a pickle",
        (
            f"{TINY}bytes_become_a_tested_tracked_portable_model",
            "tests/runs/test_checkpoints.py::test_a_model_folder_holds_no_pickle",
        ),
    ),
    Attack(
        "checkpoints and weights from elsewhere",
        "the digest first, then `weights_only=True`, everywhere",
        (
            "tests/training/test_resume.py::test_a_poisoned_state_is_refused_unread",
            "tests/models/test_pretrained.py::test_other_weights_than_those_expected_are_not_loaded",
            "tests/test_architecture.py::test_weights_are_read_without_unpickling",
        ),
    ),
    Attack(
        "`_target_`",
        "an exact list on the composed configuration, before anything is built or sent",
        (
            f"{CONFIG}no_other_target_can_be_called",
            f"{CONFIG}a_target_hidden_in_a_list_or_deep_below_is_found",
        ),
    ),
    Attack(
        "archives, idx files, pictures, mirrors",
        "SHA-256 first; members are streamed; no links, devices or paths out; members, bytes and ratio are limited",
        (
            f"{STORE}a_wrong_file_is_set_aside_and_named_with_both_digests",
            f"{STORE}a_mirror_that_misbehaves_is_named_and_leaves_nothing",
            f"{RAW}a_gzip_bomb_costs_no_more_memory_than_its_header_promises",
            f"{RAW}absurd_dimensions_are_refused_before_any_memory_is_taken",
            f"{RAW}a_bad_member_is_named_and_nothing_is_written",
            f"{RAW}links_and_devices_are_refused",
            f"{RAW}an_archive_that_unpacks_without_end_is_cut_off",
            f"{ARCHIVE}a_name_that_leaves_the_archive_is_refused",
            f"{ARCHIVE}links_and_devices_are_refused",
            f"{ARCHIVE}a_bomb_is_refused_before_it_is_unpacked",
        ),
    ),
    Attack(
        "DVC's outputs",
        "a path or link that leaves the project is refused before anything is pulled",
        ("tests/graph/test_outputs.py::test_an_output_behind_dots_or_a_link_is_named",),
    ),
    Attack(
        "secrets",
        "values of the environment are resolved late and stored as `${oc.env:…}`; keys and addresses that look like "
        "secrets are stored as `***`",
        (
            f"{TINY}no_secret_reaches_mlflow_or_the_runs_files",
            f"{CONFIG}the_unresolved_config_never_holds_an_environment_variable",
            f"{TRACKING}passwords_are_redacted",
            f"{TRACKING}secret_like_keys_have_no_value",
        ),
    ),
    Attack(
        "the upload of a job",
        "names of variables, never their values; code and configuration, never data, runs or `.git`",
        (
            f"{JOBS}an_override_with_a_secret_is_not_sent",
            f"{JOBS}a_submitted_job_is_the_command_in_its_folder_with_no_value_of_the_environment",
            f"{JOBS}a_job_is_submitted_listed_followed_and_stopped",
            f"{JOBS}code_and_configuration_are_packed_and_nothing_else",
        ),
    ),
    Attack(
        "the web page and served models",
        "loopback, own host names and origins only; bodies, rates and numbers of inputs are limited",
        (
            "tests/app/test_server.py::"
            "test_a_taken_port_is_named_with_its_owner_and_the_next_one_is_served_on_loopback_only",
            "tests/launch/test_serve.py::"
            "test_a_served_model_answers_many_at_once_as_predict_does_and_leaves_no_process",
            f"{SAFETY}another_host_is_refused",
            f"{SAFETY}another_origin_is_refused",
            f"{SAFETY}a_websocket_of_another_page_is_refused",
            f"{SAFETY}a_body_without_a_length_is_cut_off_at_the_limit",
            f"{SAFETY}too_many_requests_wait_and_do_not_hold_up_another_client",
            f"{SAFETY}no_path_of_a_request_reaches_the_file_system",
            "tests/launch/test_http_api.py::test_another_sites_name_for_this_machine_and_its_forms_are_refused",
            "tests/launch/test_http_api.py::test_the_number_of_inputs_and_the_body_are_limited",
        ),
    ),
    Attack(
        "dependencies",
        "one version each in `requirements.lock`, releases known to be bad excluded; CI asks `pip-audit`",
        (
            "tests/test_lock.py::test_every_dependency_is_locked_to_one_version_that_is_allowed",
            "tests/test_lock.py::test_releases_known_to_be_bad_can_not_be_installed",
            "tests/test_lock.py::test_ci_audits_what_is_locked",
        ),
    ),
]
