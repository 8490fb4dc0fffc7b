"""An S3 store on this machine."""

from collections.abc import Iterator
from typing import Any

import pytest

SECRET = "not-a-secret-of-anyone"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an S3 store; the credentials for it are in the environment."""
    from moto.server import ThreadedMotoServer

    for key, value in (("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", SECRET)):
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def bucket(address: str, name: str) -> Any:
    import boto3

    return boto3.resource("s3", endpoint_url=address).create_bucket(Bucket=name)
