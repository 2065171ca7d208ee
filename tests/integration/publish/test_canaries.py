"""A natural row and a token that must not get out are looked for in everything that did."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.core.rows import Rejected, Row
from sentisynth_hub.localhub.control import HubState
from sentisynth_hub.natural.splits import NaturalData
from sentisynth_hub.publish.commit import publish_dataset, publish_model
from tests.support.releases import evaluation, model_release, natural_data, recipe_in, release


CANARY = "zyxwv canary sentence that nobody else would ever write down"
TOKEN = "hf_" + "cAnArY0123456789abcdefGHIJ"


def canary_natural() -> NaturalData:
    natural = natural_data()
    return replace(
        natural,
        train=[*natural.train, Row(CANARY + " in train", "negative", request_id="c1")],
        validation=[*natural.validation, Row(CANARY + " in validation", "positive", request_id="c2")],
        test=[*natural.test, Row(CANARY, "positive", request_id="c3")],
    )


def canary_rejected() -> list[Rejected]:
    """The canary in every place a generator could have put it, dropped by filters that did not look for it."""
    texts = [CANARY, CANARY.upper() + "!!", f"Review: {CANARY}. And more.", f"{{{CANARY}", CANARY.replace(" ", "  ")]
    filters = ["length", "exact_duplicates", "teacher", "parse", "near_duplicates"]
    return [
        Rejected(Row(text, None if name == "parse" else "positive", request_id=f"leak-{i}"), name, "reason", 0.5)
        for i, (text, name) in enumerate(zip(texts, filters, strict=True))
    ]


def published_bytes(repo_id: str, repo_type: str) -> dict[str, bytes]:
    """Every file of every version, Parquet files as the text of their values."""
    import pyarrow.parquet as pq
    from huggingface_hub import HfApi, hf_hub_download

    found = {}
    for commit in HfApi().list_repo_commits(repo_id, repo_type=repo_type):
        found[f"{commit.commit_id}/message"] = f"{commit.title}\n{commit.message}".encode()
        for path in HfApi().list_repo_files(repo_id, repo_type=repo_type, revision=commit.commit_id):
            local = Path(hf_hub_download(repo_id, path, repo_type=repo_type, revision=commit.commit_id))
            content = local.read_bytes()
            if path.endswith(".parquet"):
                content += str(pq.read_table(local).to_pylist()).encode()
            found[f"{commit.commit_id}/{path}"] = content
    return found


def test_no_published_file_message_or_log_holds_a_canary(
    local_hub: HubState,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", TOKEN)
    caplog.set_level(logging.DEBUG)
    given = release(tmp_path, rejected=canary_rejected(), evaluation=evaluation(), natural=canary_natural())
    publish_dataset(given, "canary-tests/tiny")
    publish_model(model_release(tmp_path, natural=canary_natural()), "canary-tests/tiny")
    files = published_bytes("canary-tests/tiny", "dataset") | published_bytes("canary-tests/tiny", "model")
    assert len(files) > 15
    said = capfd.readouterr()
    files |= {"stdout": said.out.encode(), "stderr": said.err.encode(), "log": caplog.text.encode()}
    owner = local_hub.token.encode()
    for name, content in files.items():
        lowered = content.lower()
        assert b"canary sentence" not in lowered, name
        assert b"canary  sentence" not in lowered, name
        assert TOKEN.encode() not in content, name
        assert owner not in content, name


def test_the_look_would_find_a_canary(local_hub: HubState, tmp_path: Path) -> None:
    """Published as an ordinary rejected row (no natural row to compare with), the same text is found by the same
    look."""
    given = release(tmp_path, rejected=canary_rejected()[:1])
    publish_dataset(given, "canary-tests/control")
    files = published_bytes("canary-tests/control", "dataset")
    assert sum(b"canary sentence" in content for content in files.values()) == 2  # rejected and unfiltered


def test_a_canary_among_the_kept_rows_or_in_the_recipe_stops_everything(
    local_hub: HubState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import HfApi

    leaking = release(tmp_path, kept=[Row(CANARY, "positive", request_id="x")], rejected=[], natural=canary_natural())
    with pytest.raises(PublishError, match="leakage gate"):
        publish_dataset(leaking, "canary-tests/stopped")
    recipe = recipe_in(tmp_path / "told", description=f"Uses {TOKEN} to ask.")
    with pytest.raises(PublishError, match="looks like a secret"):
        publish_dataset(release(tmp_path, recipe=recipe), "canary-tests/stopped")
    prompt = replace(release(tmp_path, natural=canary_natural()), prompt_text=f"Like this:\n{CANARY}\n")
    with pytest.raises(PublishError, match=r"prompt.jinja2: line 2 is a natural row"):
        publish_dataset(prompt, "canary-tests/stopped")
    assert not HfApi().repo_exists("canary-tests/stopped", repo_type="dataset")
