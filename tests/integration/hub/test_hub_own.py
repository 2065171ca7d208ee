"""What the suite cannot ask of a real Hub: upload in parts, another host name, a shell with only our exports."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sentisynth_hub.localhub.control import HubState, client_environment, running_hub


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
