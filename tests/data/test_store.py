"""How data comes to be whole and verified, whatever the mirror does."""

import errno
import gzip
import hashlib
import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline.data import download, store
from pipeline.errors import DataError

IMAGES = "mnist/train-images-idx3-ubyte"


needs_real_data = pytest.mark.skipif(
    "PIPELINE_DATA_MIRROR" not in os.environ, reason="PIPELINE_DATA_MIRROR names no mirror of the real data"
)


def pull(root: Path, mirror: str | None = None, *, name: str = "mnist", deadline_s: float = 20) -> str:
    return store.pull(
        name,
        root / "data",
        cache_dir=root / ".cache",
        mirror=mirror,
        progress=lambda *_: None,
        deadline_s=deadline_s,
    )


@pytest.fixture
def empty(tiny_mnist: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny project before its data was pulled; no public mirror is asked."""
    for file in store.FILES["mnist"]:
        (tiny_mnist / "data" / file.path).unlink()
    monkeypatch.setitem(store.PUBLIC, "mnist", ())
    return tiny_mnist


def nothing_is_half_written(root: Path) -> bool:
    """Every file in data/ is one of the set's, and verifies on its own."""
    known = {root / "data" / file.path: file for file in store.FILES["mnist"]}
    found = [path for path in (root / "data").rglob("*") if path.is_file()]
    return all(path in known and path.stat().st_size == known[path].bytes for path in found)


Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


@contextmanager
def mirror(folder: Path, answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """A web server on loopback that answers every existing file in its own way, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('Range', '')}".strip())
            path = folder / self.path.lstrip("/")
            if path.is_file():
                answer(self, path.read_bytes())
            else:
                self.send_error(404)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))  # poll often: shutdown waits for it
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def whole(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def test_what_is_there_and_verifies_is_not_fetched(tiny_mnist: Path) -> None:
    assert pull(tiny_mnist, "http://127.0.0.1:9") == "already there"


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_folder_is_a_mirror(empty: Path, form: str) -> None:
    pull(empty, form.format(empty / "mirror"))
    store.verify("mnist", empty / "data")
    assert not list((empty / ".cache/partial").iterdir())


def test_whatever_a_mirror_packs_them_in_the_bytes_are_the_same(empty: Path) -> None:
    for number, file in enumerate(store.FILES["mnist"]):
        packed = empty / "mirror" / f"{file.path}.gz"
        content = gzip.decompress(packed.read_bytes())
        packed.unlink()
        flat = empty / "mirror" / Path(file.path).name
        if number % 2:
            flat.write_bytes(content)
        else:
            flat.with_name(f"{flat.name}.gz").write_bytes(gzip.compress(content, compresslevel=1, mtime=7))
    pull(empty, str(empty / "mirror"))
    store.verify("mnist", empty / "data")


def test_a_web_server_is_a_mirror(empty: Path) -> None:
    with mirror(empty / "mirror", whole) as (address, _):
        assert pull(empty, address) == address
    store.verify("mnist", empty / "data")


def test_a_body_that_breaks_off_is_resumed_where_it_stopped(empty: Path) -> None:
    broken: set[str] = set()

    def once_broken(handler: BaseHTTPRequestHandler, content: bytes) -> None:
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(content) - start))
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.end_headers()
        first = handler.path not in broken
        broken.add(handler.path)
        handler.wfile.write(content[start : len(content) // 2] if first else content[start:])

    with mirror(empty / "mirror", once_broken) as (address, asked):
        pull(empty, address)
    store.verify("mnist", empty / "data")
    size = (empty / "mirror" / f"{IMAGES}.gz").stat().st_size
    assert f"/{IMAGES}.gz bytes={size // 2}-" in asked


PULL = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell inherits that it is ignored
from pathlib import Path
from pipeline.data import store
files, address, root = sys.argv[1:]
store.FILES["mnist"], store.PUBLIC["mnist"] = tuple(store.DataFile(*row) for row in eval(files)), ()
store.pull("mnist", Path(root, "data"), cache_dir=Path(root, ".cache"), mirror=address, progress=lambda *_: None)
"""


def test_a_pull_that_ctrl_c_ends_leaves_nothing_half_written_and_is_resumed(empty: Path) -> None:
    half_sent, interrupted = threading.Event(), threading.Event()

    def slow(handler: BaseHTTPRequestHandler, content: bytes) -> None:
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.end_headers()
        if interrupted.is_set():
            handler.wfile.write(content[start:])
            return
        handler.wfile.write(content[: len(content) // 2])
        half_sent.set()
        interrupted.wait(60)

    files = repr([(file.path, file.bytes, file.sha256) for file in store.FILES["mnist"]])
    partial, size = empty / ".cache/partial", (empty / "mirror" / f"{IMAGES}.gz").stat().st_size
    with mirror(empty / "mirror", slow) as (address, asked):
        process = subprocess.Popen([sys.executable, "-c", PULL, files, address, str(empty)], stderr=subprocess.DEVNULL)
        assert half_sent.wait(60)
        until = time.monotonic() + 60
        while sum(path.stat().st_size for path in partial.glob("*")) < size // 2 and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) != 0
        interrupted.set()
        assert not [path for path in (empty / "data").rglob("*") if path.is_file()]
        pull(empty, address)
    store.verify("mnist", empty / "data")
    assert f"/{IMAGES}.gz bytes={size // 2}-" in asked
    assert not list(partial.iterdir())


def test_a_partial_file_of_other_bytes_is_dropped_and_fetched_anew(empty: Path) -> None:
    def ranged(handler: BaseHTTPRequestHandler, content: bytes) -> None:
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.end_headers()
        handler.wfile.write(content[start:])

    with mirror(empty / "mirror", ranged) as (address, _):
        pull(empty, address)
        for file in store.FILES["mnist"]:
            (empty / "data" / file.path).unlink()
        # Every possible partial file holds junk of the right kind of length.
        for file in store.FILES["mnist"]:
            full = f"{address}/{file.path}.gz"
            name = f"{hashlib.sha256(full.encode()).hexdigest()[:8]}-{Path(file.path).name}.gz"
            (empty / ".cache/partial" / name).write_bytes(b"junk")
        pull(empty, address)
    store.verify("mnist", empty / "data")


TEXTS = {
    "aclImdb/train/urls_neg.txt": "http://www.imdb.com/title/tt0064354/usercomments",
    "aclImdb/test/urls_pos.txt": "http://www.imdb.com/title/tt0100680/usercomments",
    "aclImdb/train/neg/0_3.txt": "dull\u2028film",
    "aclImdb/test/pos/0_10.txt": 'a "fine" film',
    "aclImdb/train/unsup/0_0.txt": "who knows",
}
LINES = {  # written by hand
    "imdb/train.jsonl": '{"id":"neg/0","rating":3,"film":"tt0064354","text":"dull\u2028film"}\n',
    "imdb/test.jsonl": '{"id":"pos/0","rating":10,"film":"tt0100680","text":"a \\"fine\\" film"}\n',
    "imdb/unsup.jsonl": '{"id":"unsup/0","rating":0,"film":null,"text":"who knows"}\n',
}


def lay_out(place: Path, packed: str) -> None:
    """Three reviews, as an archive or as the canonical files."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if packed == "archive":
        with tarfile.open(place, "w:gz") as tar:
            for name, text in TEXTS.items():
                info = tarfile.TarInfo(name)
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))
        return
    for name, line in LINES.items():
        path = place / f"{Path(name).name}{packed}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(line.encode()) if packed else line.encode())


@pytest.mark.parametrize(
    ("place", "packed", "mirror"),
    [
        ("m/imdb/aclImdb.tar.gz", "archive", "m"),
        ("m/imdb/aclImdb_v1.tar.gz", "archive", "m"),
        ("m/aclImdb_v1.tar.gz", "archive", "m"),
        ("m/reviews.tgz", "archive", "m/reviews.tgz"),
        ("m/imdb", "", "m"),
        ("m/imdb", ".gz", "m"),
        ("m", ".gz", "m"),
    ],
)
def test_reviews_are_the_same_lines_from_every_layout(
    project: Path, monkeypatch: pytest.MonkeyPatch, place: str, packed: str, mirror: str
) -> None:
    files = tuple(
        store.DataFile(name, len(line.encode()), hashlib.sha256(line.encode()).hexdigest())
        for name, line in LINES.items()
    )
    monkeypatch.setitem(store.FILES, "imdb", files)
    monkeypatch.setitem(store.PUBLIC, "imdb", ())
    lay_out(project / place, packed)
    pull(project, str(project / mirror), name="imdb")
    assert {name: (project / "data" / name).read_bytes().decode() for name in LINES} == LINES


def test_a_full_disk_is_named_with_the_bytes_needed(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"\.cache/partial/.*No space left on device.*50,192 bytes"):
        pull(empty, str(empty / "mirror"))
    assert not list((empty / ".cache/partial").iterdir())
    assert nothing_is_half_written(empty)


def test_two_pulls_at_once_fetch_each_file_once(empty: Path) -> None:
    with mirror(empty / "mirror", whole) as (address, asked):
        pulls = [threading.Thread(target=pull, args=(empty, address)) for _ in range(2)]
        for thread in pulls:
            thread.start()
        for thread in pulls:
            thread.join()
    assert len(asked) == len(store.FILES["mnist"])
    store.verify("mnist", empty / "data")


@pytest.mark.parametrize("mirror", ["ftp://user:canary@host/x", "/nowhere/aclImdb.tar.gz", "http://[bad"])
def test_a_mirror_that_can_not_be_one_is_named_with_the_reason(empty: Path, mirror: str) -> None:
    with pytest.raises(DataError, match=r"Tried:\n  .+: (expected a folder|an archive, but|no response)") as error:
        pull(empty, mirror)
    assert "canary" not in str(error.value)


def answer_wrong(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    whole(handler, gzip.compress(gzip.decompress(content)[:-1] + b"!"))


def answer_lying_length(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content) * 2))
    handler.end_headers()
    handler.wfile.write(content)


def answer_absurd_length(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(10**15))
    handler.end_headers()


def answer_bomb(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    whole(handler, gzip.compress(bytes(30 << 20)))


def answer_redirect_to_a_file(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    handler.send_response(302)
    handler.send_header("Location", "file:///etc/passwd")
    handler.end_headers()


def answer_redirect_for_ever(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    handler.send_response(302)
    handler.send_header("Location", handler.path)
    handler.end_headers()


def answer_busy(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    handler.send_error(503)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (answer_wrong, "expected 50,192 bytes with SHA-256"),
        (answer_lying_length, "broke off"),
        (answer_absurd_length, "promises 1,000,000,000,000,000 bytes"),
        (answer_bomb, "expected"),
        (answer_redirect_to_a_file, "not http(s)"),
        (answer_redirect_for_ever, "redirects"),
        (answer_busy, "HTTP 503"),
    ],
)
def test_a_mirror_that_misbehaves_is_named_and_leaves_nothing(empty: Path, answer: Answer, said: str) -> None:
    with mirror(empty / "mirror", answer) as (address, asked):
        with pytest.raises(DataError) as error:
            pull(empty, address)
        assert len(asked) <= 60
    assert said in str(error.value)
    assert address in str(error.value)
    assert "PIPELINE_DATA_MIRROR" in str(error.value)
    assert nothing_is_half_written(empty)
    assert not list((empty / "data").rglob("*-ubyte"))


def test_the_next_mirror_is_asked_when_one_has_nothing(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with mirror(empty / "nowhere", whole) as (bad, _), mirror(empty / "mirror", whole) as (good, _):
        monkeypatch.setitem(store.PUBLIC, "mnist", (good,))
        assert pull(empty, bad) == good
    store.verify("mnist", empty / "data")


def test_a_server_that_drips_meets_the_deadline(empty: Path) -> None:
    def drip(handler: BaseHTTPRequestHandler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        for byte in content[:200]:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.05)

    started = time.monotonic()
    with mirror(empty / "mirror", drip) as (address, _), pytest.raises(DataError, match="deadline"):
        pull(empty, address, deadline_s=1)
    assert time.monotonic() - started < 15


def test_headers_that_drip_meet_the_deadline_too(empty: Path) -> None:
    def drip(handler: BaseHTTPRequestHandler, content: bytes) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n" * 3:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.05)

    started = time.monotonic()
    with mirror(empty / "mirror", drip) as (address, _), pytest.raises(DataError, match="no response in"):
        pull(empty, address, deadline_s=0.5)
    assert time.monotonic() - started < 2


def test_a_mirror_that_is_down_fails_fast(empty: Path) -> None:
    started = time.monotonic()
    with pytest.raises(DataError, match="no response"):
        pull(empty, "http://127.0.0.1:9")
    assert time.monotonic() - started < download.CONNECT_S


def test_a_wrong_file_is_set_aside_and_named_with_both_digests(empty: Path) -> None:
    path = empty / "data" / IMAGES
    path.write_bytes(b"not images")
    with pytest.raises(DataError, match=r"expected 50,192 bytes with SHA-256 \w{64}, got 10 bytes with \w{64}"):
        pull(empty)
    (kept,) = (empty / ".cache/set-aside").iterdir()
    assert kept.read_bytes() == b"not images"
    assert not path.exists()
    pull(empty, str(empty / "mirror"))
    store.verify("mnist", empty / "data")


def test_a_pull_completes_what_an_earlier_one_left(empty: Path) -> None:
    only = empty / "only/mnist"
    only.mkdir(parents=True)
    (only / f"{Path(IMAGES).name}.gz").write_bytes((empty / "mirror" / f"{IMAGES}.gz").read_bytes())
    with pytest.raises(DataError, match="3 files"):
        pull(empty, str(empty / "only"))
    assert (empty / "data" / IMAGES).is_file()
    pull(empty, str(empty / "mirror"))
    store.verify("mnist", empty / "data")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cant_be_written_is_named(empty: Path) -> None:
    (empty / ".cache").mkdir()
    (empty / ".cache").chmod(0o500)
    with pytest.raises(DataError, match="can't be written"):
        pull(empty, str(empty / "mirror"))


def test_a_mirrors_password_stays_out_of_the_error(empty: Path) -> None:
    with pytest.raises(DataError) as error:
        pull(empty, "http://user:canary@127.0.0.1:9/x?token=canary")
    assert "canary" not in str(error.value)


def test_verification_names_every_missing_and_wrong_file(tiny_mnist: Path) -> None:
    (tiny_mnist / "data" / IMAGES).unlink()
    (tiny_mnist / "data/mnist/t10k-labels-idx1-ubyte").write_bytes(b"x")
    with pytest.raises(DataError, match="2 of 4 files") as error:
        store.verify("mnist", tiny_mnist / "data")
    assert "train-images-idx3-ubyte: expected 50,192 bytes" in str(error.value)
    assert "t10k-labels-idx1-ubyte: expected 48 bytes" in str(error.value)


def test_an_unknown_data_set_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    for ask in (lambda: store.digest("x"), lambda: store.verify("x", tmp_path), lambda: pull(tmp_path, name="x")):
        with pytest.raises(DataError, match="mnist, imdb"):
            ask()


def test_the_digests_of_the_tables_are_those_of_data_dvc() -> None:
    pinned = (Path(__file__).parents[2] / "data.dvc").read_text()
    assert f"size: {sum(file.bytes for files in store.FILES.values() for file in files)}" in pinned
    assert f"nfiles: {sum(map(len, store.FILES.values()))}" in pinned


@needs_real_data
def test_the_real_mnist_is_had_from_the_mirror(tmp_path: Path) -> None:
    pull(tmp_path, os.environ["PIPELINE_DATA_MIRROR"], name="mnist", deadline_s=600)
    from pipeline.data.images.idx import read_idx

    labels = read_idx(tmp_path / "data/mnist/train-labels-idx1-ubyte")
    assert labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    images = read_idx(tmp_path / "data/mnist/train-images-idx3-ubyte")
    assert images.mean() == pytest.approx(33.3184, abs=1e-4)


@pytest.mark.slow
@needs_real_data
def test_the_real_reviews_are_had_from_the_mirror(tmp_path: Path) -> None:
    pull(tmp_path, os.environ["PIPELINE_DATA_MIRROR"], name="imdb", deadline_s=600)
    from pipeline.data.jsonl import read_jsonl

    rows = {split: list(read_jsonl(tmp_path / f"data/imdb/{split}.jsonl")) for split in ("train", "test", "unsup")}
    assert {split: len(found) for split, found in rows.items()} == {"train": 25_000, "test": 25_000, "unsup": 50_000}
    assert sum(len(row["text"].encode()) for row in rows["train"]) == 33_132_823
    assert len({row["text"] for row in rows["train"]} & {row["text"] for row in rows["test"]}) == 123
    assert sum(row["rating"] == 10 for row in rows["test"]) == 4999


def test_data_without_a_public_source_may_be_absent_but_not_broken(tmp_path: Path) -> None:
    assert store.needs_mirror("dogs-vs-cats", tmp_path)
    assert not store.needs_mirror("mnist", tmp_path)
    (tmp_path / "dogs-vs-cats").mkdir()
    (tmp_path / "dogs-vs-cats/dogs-vs-cats-2000.tar").write_bytes(b"cut")
    assert not store.needs_mirror("dogs-vs-cats", tmp_path)
