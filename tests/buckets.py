"""A bucket of an S3 server on 127.0.0.1."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer


@contextmanager
def bucket(objects: Mapping[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run a server with one bucket of these objects, set the environment variables of S3, and give its address."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    environment = {"ACCESS_KEY_ID": "me", "SECRET_ACCESS_KEY": "hush", "DEFAULT_REGION": "us-east-1"}
    for name, value in {**environment, "ENDPOINT_URL": f"http://{host}:{port}"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    client, name = boto3.client("s3"), f"bucket-{uuid4()}"  # all servers of a process share their content
    client.create_bucket(Bucket=name)
    for key, content in objects.items():
        client.put_object(Bucket=name, Key=key, Body=content)
    client.close()
    try:
        yield f"s3://{name}"
    finally:
        server.stop()
