"""What the suite cannot ask of a real Hub: upload in parts, another host name, a shell with only our exports."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sentisynth_hub.localhub.control import HubState, client_environment, running_hub
from tests.support.raw_client import RawClient, file_line, lfs_line


pytestmark = pytest.mark.skipif(os.environ.get("SENTISYNTH_CONTRACT_REMOTE") == "1", reason="needs its own server")


def test_a_large_file_in_parts(tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    content = os.urandom(3_500_000)
    with running_hub(tmp_path, options={"multipart_bytes": 1_000_000}) as state:
        api = HfApi(endpoint=state.endpoint, token=state.token)
        api.create_repo("acme/m")
        api.upload_file(repo_id="acme/m", path_in_repo="w.bin", path_or_fileobj=content)
        assert Path(api.hf_hub_download("acme/m", "w.bin")).read_bytes() == content
        assert not list(tmp_path.glob("repos/models/acme/m.git/lfs/objects/parts/*"))


def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    with running_hub(tmp_path) as state:
        api = HfApi(endpoint=state.endpoint, token=state.token)
        api.create_repo("acme/m", private=True)
        api.upload_file(repo_id="acme/m", path_in_repo="w.bin", path_or_fileobj=b"\0" * 1000)
        api.create_tag("acme/m", tag="v1")
        api.create_discussion("acme/m", "Why?")
        before = api.list_repo_refs("acme/m")
    with running_hub(tmp_path) as state:
        api = HfApi(endpoint=state.endpoint, token=state.token)
        assert api.list_repo_refs("acme/m") == before
        assert api.model_info("acme/m").private
        assert api.get_discussion_details("acme/m", 1).title == "Why?"
        assert Path(api.hf_hub_download("acme/m", "w.bin")).read_bytes() == b"\0" * 1000


def test_downloads_that_are_broken_off_ranged_or_pipelined(tmp_path: Path) -> None:
    content = os.urandom(5_000_000)
    with running_hub(tmp_path) as state:
        owner = RawClient(state.endpoint, state.token)
        owner.create("acme/m")
        owner.upload("models/acme/m", content)
        owner.commit("models/acme/m", lfs_line("w.bin", content))
        address = urlsplit(state.endpoint)
        request = f"GET /acme/m/resolve/main/w.bin HTTP/1.1\r\nHost: {address.netloc}\r\n".encode()
        for enough in (0, 1, 300_000, 2_000_000):
            with socket.create_connection((address.hostname, address.port)) as connection:
                connection.sendall(request + b"\r\n")
                received = 0
                while received < enough:
                    received += len(connection.recv(65536))
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(request + b"\r\n" + request + b"Connection: close\r\n\r\n")
            received_twice = b"".join(iter(lambda: connection.recv(1 << 20), b""))
        assert received_twice.count(content) == 2
        part = owner.send("GET", "/acme/m/resolve/main/w.bin", Range="bytes=1000000-3999999")
        assert part.body == content[1_000_000:4_000_000]
        assert (tmp_path / "server.log").read_text() == ""


PROGRAM = """
from datasets import Dataset, load_dataset
from huggingface_hub import HfApi
Dataset.from_dict({"text": ["a", "b"]}).push_to_hub("shell/dataset")
HfApi().create_tag("shell/dataset", tag="v1.0.0", repo_type="dataset")
url = HfApi().create_repo("shell/model")
assert url.repo_id == "shell/model"
print(load_dataset("shell/dataset", revision="v1.0.0", split="train")["text"][:])
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_process_with_nothing_but_our_exports(tmp_path: Path, local_hub: HubState, host: str) -> None:
    with running_hub(tmp_path) as state:
        exports = client_environment(state)
        exports["HF_ENDPOINT"] = exports["HF_ENDPOINT"].replace("127.0.0.1", host)
        environment = exports | {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        command = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "['a', 'b']\n"


@pytest.mark.parametrize(
    ("card", "opens", "other"),
    [
        ("library_name: sentence-transformers", b"SentenceTransformer(", b"pipeline("),
        ("library_name: transformers\npipeline_tag: fill-mask", b'pipeline("fill-mask"', b"SentenceTransformer("),
        ("license: mit", b'pipeline("text-classification"', b"SentenceTransformer("),
    ],
)
def test_a_models_page_says_what_opens_it(owner: RawClient, card: str, opens: bytes, other: bytes) -> None:
    front_matter = f"---\n{card}\n---\n".encode()
    assert owner.commit("models/acme/public", file_line("README.md", front_matter)).status == 200
    page = owner.send("GET", "/acme/public").body
    assert opens in page
    assert other not in page
