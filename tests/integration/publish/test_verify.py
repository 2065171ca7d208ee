"""`verify` finds nothing in what was published, and everything in what was changed since; `diff` says what moved."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from sentisynth_hub.cli.publish_commands import diff, verify
from sentisynth_hub.core.errors import DriftError, InputError, PublishError
from sentisynth_hub.localhub.control import HubState
from sentisynth_hub.publish.card_check import Check
from sentisynth_hub.publish.commit import publish_dataset, publish_model
from sentisynth_hub.publish.diff import compare, read_side, record
from sentisynth_hub.publish.parquet_limits import read_tables
from sentisynth_hub.publish.verify import read_version, verify_dataset, verify_model
from sentisynth_hub.verdict.statistics.single_model import single_model_scores
from tests.support.releases import (
    NATURAL_TEST,
    TEXTS,
    evaluation,
    model_release,
    natural_data,
    recipe_in,
    release,
    synthetic,
)


REPO = "verify-tests/tiny"
KEPT = "kept rows of unfiltered are those of default"
FILES = {"default": "data", "unfiltered": "unfiltered", "rejected": "rejected", "lineage": "lineage"}


@pytest.fixture(scope="module")
def published(local_hub: HubState, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("release")
    made = evaluation()
    publish_dataset(release(folder, evaluation=made), REPO)
    publish_dataset(release(folder, kept=synthetic([*TEXTS, "one row more"], ["positive"] * 5), evaluation=made), REPO)
    return REPO


def checks_of(repo_id: str, tag: str) -> dict[str, Check]:
    found = verify_dataset(read_version(f"{repo_id}@{tag}"), tag, natural_data())
    assert len({check.name for check in found}) == len(found)
    return {check.name: check for check in found}


def disagreeing(checks: dict[str, Check]) -> set[str]:
    return {name for name, check in checks.items() if check.agrees is False}


@pytest.mark.parametrize("tag", ["v1.0.0", "v2.0.0"])
def test_what_was_published_verifies(published: str, tag: str) -> None:
    checks = checks_of(published, tag)
    assert disagreeing(checks) == set()
    assert [name for name, check in checks.items() if check.agrees is None] == []
    assert len(checks) > 35


Change = Callable[[pa.Table], pa.Table]


def with_value(column: str, row: int, value: Any) -> Change:
    """Replace one value of a table."""

    def change(table: pa.Table) -> pa.Table:
        values = table.column(column).to_pylist()
        values[row] = value
        place = table.schema.get_field_index(column)
        return table.set_column(place, table.schema.field(place), pa.array(values, table.schema.field(place).type))

    return change


def without_row(table: pa.Table) -> pa.Table:
    return table.slice(1)


def doubled(table: pa.Table) -> pa.Table:
    return pa.concat_tables([table, table.slice(0, 1)])


@pytest.mark.parametrize(
    ("config", "change", "found"),
    [
        (
            "default",
            with_value("text", 0, "another text"),
            {"default: ids that are not their text's", "content digest"},
        ),
        ("default", with_value("label", 0, 1), {"default: digest", "content digest", "statistics"}),
        ("default", with_value("teacher_confidence", 0, 0.99), {"default: digest with scores"}),
        ("default", without_row, {"default: rows", "content digest", "candidates", KEPT}),
        ("default", doubled, {"default: rows", "duplicates"}),
        ("unfiltered", with_value("kept", 4, True), {"unfiltered: digest", KEPT}),
        ("unfiltered", with_value("text", 4, "mail me@example.org"), {"texts with personal data"}),
        ("rejected", with_value("reason", 0, "other"), {"rejected: digest", "funnel"}),
        (
            "rejected",
            with_value("text", 0, NATURAL_TEST),
            {"texts that should be hidden", "natural rows among the texts"},
        ),
        ("rejected", without_row, {"funnel", "candidates", "hidden texts"}),
        ("lineage", with_value("prompt_tokens", 0, 99), {"lineage: digest", "prompt tokens"}),
        ("lineage", with_value("cost_usd", 0, 9.0), {"dollars", "lineage: digest with scores"}),
        ("lineage", with_value("request_id", 0, "nobody"), {"candidates without lineage"}),
    ],
)
def test_a_change_of_the_data_is_found(
    published: str, tmp_path: Path, config: str, change: Change, found: set[str]
) -> None:
    from huggingface_hub import HfApi, hf_hub_download

    api = HfApi()
    path = f"{FILES[config]}/train-00000-of-00001.parquet"
    original = pq.read_table(hf_hub_download(published, path, repo_type="dataset", revision="v1.0.0"))
    changed = change(original)
    assert not changed.equals(original)
    pq.write_table(changed, tmp_path / "changed.parquet")
    forge(api, published, {path: tmp_path / "changed.parquet"})
    assert found <= disagreeing(checks_of("verify-tests/forged", "v1.0.0"))


def forge(api: Any, repo_id: str, files: dict[str, Path]) -> None:
    """A copy of v1.0.0 under another id in which some files were replaced, tagged v1.0.0."""
    from huggingface_hub import CommitOperationAdd, snapshot_download

    api.delete_repo("verify-tests/forged", repo_type="dataset", missing_ok=True)
    api.create_repo("verify-tests/forged", repo_type="dataset")
    folder = Path(snapshot_download(repo_id, repo_type="dataset", revision="v1.0.0"))
    local = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    added = [CommitOperationAdd(name, path) for name, path in {**local, **files}.items() if name != ".gitattributes"]
    api.create_commit("verify-tests/forged", added, repo_type="dataset", commit_message="forged")
    api.create_tag("verify-tests/forged", tag="v1.0.0", repo_type="dataset")


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("candidates", 999, {"candidates", "card says what the manifest says"}),
        ("content_digest", "0" * 64, {"content digest"}),
        ("hidden", 0, {"hidden texts"}),
        ("version", "9.9.9", {"version in the manifest"}),
        ("examples", [["positive", "never published"]], {"examples that are not rows"}),
    ],
)
def test_a_change_of_the_manifest_is_found(
    published: str, tmp_path: Path, key: str, value: Any, found: set[str]
) -> None:
    from huggingface_hub import HfApi, hf_hub_download

    manifest = json.loads(
        Path(hf_hub_download(published, "sentisynth.json", repo_type="dataset", revision="v1.0.0")).read_text()
    )
    assert key in manifest
    (tmp_path / "sentisynth.json").write_text(json.dumps({**manifest, key: value}))
    forge(HfApi(), published, {"sentisynth.json": tmp_path / "sentisynth.json"})
    assert found <= disagreeing(checks_of("verify-tests/forged", "v1.0.0"))


def test_a_changed_card_is_found_but_not_what_people_add(published: str, tmp_path: Path) -> None:
    from huggingface_hub import HfApi, hf_hub_download

    card = Path(hf_hub_download(published, "README.md", repo_type="dataset", revision="v1.0.0")).read_text("utf-8")
    for changed, agrees in (
        (card.replace("7 candidates", "8 candidates"), False),
        (card + "\nOur own words.\n", True),
    ):
        assert changed != card
        (tmp_path / "README.md").write_text(changed)
        forge(HfApi(), published, {"README.md": tmp_path / "README.md"})
        assert checks_of("verify-tests/forged", "v1.0.0")["card says what the manifest says"].agrees is agrees


def test_a_card_in_the_words_of_another_toolkit_is_not_called_drift(published: str, tmp_path: Path) -> None:
    from huggingface_hub import HfApi, hf_hub_download

    def of(name: str) -> str:
        path = hf_hub_download(published, name, repo_type="dataset", revision="v1.0.0")
        return Path(path).read_text("utf-8")

    (tmp_path / "README.md").write_text(of("README.md").replace("## Does it help?", "## Is it of use?"), "utf-8")
    (tmp_path / "sentisynth.json").write_text(json.dumps({**json.loads(of("sentisynth.json")), "toolkit": "0.0.1"}))
    forge(HfApi(), published, {name: tmp_path / name for name in ("README.md", "sentisynth.json")})
    checks = checks_of("verify-tests/forged", "v1.0.0")
    assert checks["card says what the manifest says"].agrees is None
    assert "written by sentisynth-hub 0.0.1" in checks["card says what the manifest says"].recomputed
    assert disagreeing(checks) <= {"repo in the manifest"}  # the copy has another id


FORGED = "0.0.9"  # the toolkit that a forger says it was


@pytest.mark.parametrize("toolkit", [None, FORGED])
@pytest.mark.parametrize(
    ("path", "old", "new", "found"),
    [
        ("README.md", r"\*\*Helps: [^*]*\*\*", "**Helps: +0.2100 [+0.1900, +0.2300].**", "verdict on the card"),
        ("README.md", r"\*\*Helps: ", "**Hurts: ", "verdict on the card"),
        ("README.md", r"\*\*Helps: ", "**Hurts: 1.**\n\n**Helps: ", "verdict on the card"),
        ("README.md", r"\| natural \| \+0\.\d+", "| natural | +0.999", "numbers on the card"),
        ("README.md", r"\| natural \| \+0\.", "| natural | −0.", "numbers on the card"),
        ("README.md", "7 candidates", "9,876 candidates", "numbers on the card"),
        ("README.md", "num_examples: 4", "num_examples: 40000", "numbers on the card"),
        ("README.md", "<!-- sentisynth:end -->", "", "card says"),
        ("recipe.yaml", "candidates: 6", "candidates: 7", "recipe digest"),
        ("recipe.yaml", "name: tiny", "name: other", "recipe digest"),
        ("recipe.yaml", "\\Z", "seed: 7\n", "recipe digest"),
        ("prompt.jinja2", "review", "nice review", "prompt digest"),
        ("prompt.jinja2", "(?s)Write.*", "", "prompt digest"),
    ],
)
def test_a_forgery_is_found_whatever_toolkit_it_claims(
    published: str, tmp_path: Path, path: str, old: str, new: str, found: str, toolkit: str | None
) -> None:
    from huggingface_hub import HfApi

    content = text_of(published, path)
    changed = re.sub(old, lambda _: new, content)
    assert changed != content
    (tmp_path / path).write_text(changed, "utf-8")
    files = {path: tmp_path / path}
    if toolkit is not None:
        manifest = json.loads(text_of(published, "sentisynth.json"))
        (tmp_path / "sentisynth.json").write_text(json.dumps({**manifest, "toolkit": toolkit}))
        files["sentisynth.json"] = tmp_path / "sentisynth.json"
    forge(HfApi(), published, files)
    expected = (found, "numbers on the card") if toolkit is not None and "+0.2100" in new else (found,)
    assert any(name.startswith(expected) for name in disagreeing(checks_of("verify-tests/forged", "v1.0.0")))


def text_of(repo_id: str, path: str) -> str:
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(repo_id, path, repo_type="dataset", revision="v1.0.0")).read_text("utf-8")


def test_what_could_not_be_checked_is_counted_and_fails_under_strict(published: str, tmp_path: Path) -> None:
    from huggingface_hub import HfApi

    manifest = {
        **json.loads(text_of(published, "sentisynth.json")),
        "toolkit": FORGED,
        "repo_id": "verify-tests/forged",
    }
    (tmp_path / "sentisynth.json").write_text(json.dumps(manifest))
    card = (
        text_of(published, "README.md")
        .replace("## Does it help?", "## Is it of use?")
        .replace(published, "verify-tests/forged")
    )
    (tmp_path / "README.md").write_text(card, "utf-8")
    forge(HfApi(), published, {name: tmp_path / name for name in ("README.md", "sentisynth.json")})
    plain = CliRunner().invoke(verify, ["verify-tests/forged@v1.0.0"])
    assert plain.exit_code == 0, plain.output
    assert "2 could not be made (overlap with natural rows, card says what the manifest says)" in plain.stderr
    strict = CliRunner().invoke(verify, ["verify-tests/forged@v1.0.0", "--strict"])
    assert isinstance(strict.exception, DriftError)
    assert "--strict asks for all" in str(strict.exception)


@pytest.mark.parametrize("weakening", [{"allow_personal_data": True}, {}])
def test_the_publisher_does_not_decide_what_is_personal_data(
    local_hub: HubState, tmp_path: Path, weakening: dict[str, bool]
) -> None:
    repo_id = f"verify-tests/personal-{len(weakening)}"
    publish = {"dataset": repo_id, "licence": "mit", "allow_personal_data": True}
    filters = {"personal_data": {"regions": ["IN"]}} if not weakening else {}
    recipe = recipe_in(tmp_path / "recipe", publish=publish, filter={"exact_duplicates": {}, **filters})
    publish_dataset(release(tmp_path, kept=synthetic(["call (650) 253-0000 now", *TEXTS]), recipe=recipe), repo_id)
    assert "texts with personal data" in disagreeing(checks_of(repo_id, "v1.0.0"))
    head = read_version(f"{repo_id}@v1.0.0")
    accepted = {check.name: check.agrees for check in verify_dataset(head, "v1.0.0", allow_personal_data=True)}
    assert accepted["texts with personal data"] is None


def bomb(folder: Path, name: str, table: pa.Table) -> Path:
    path = folder / "data" / name
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table, path, compression="zstd")
    return path


def test_a_parquet_file_that_would_fill_the_memory_is_not_read(tmp_path: Path) -> None:
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 200_000, pa.int32()), pa.array(["x" * 2_000_000]))
    nothing = pa.nulls(50_000_000, pa.string())
    many = pa.ListArray.from_arrays(pa.array([0, 20_000_000], pa.int32()), pa.nulls(20_000_000, pa.string()))
    for name, column in (("long.parquet", text), ("tall.parquet", nothing), ("list.parquet", many)):
        path = bomb(tmp_path, name, pa.table({"text": column}))
        assert path.stat().st_size < 200_000
        with pytest.raises(PublishError, match=rf"data/{name}: .* not read"):
            read_tables([path])


def test_a_file_that_is_no_parquet_is_one_line(tmp_path: Path) -> None:
    good = bomb(tmp_path, "good.parquet", pa.table({"text": ["a"]}))
    for name, content in (("cut", good.read_bytes()[:-20]), ("junk", b"PAR1" + b"x" * 100 + b"PAR1"), ("empty", b"")):
        (tmp_path / "data" / name).write_bytes(content)
        with pytest.raises(PublishError, match=f"data/{name}: not a Parquet file") as caught:
            read_tables([tmp_path / "data" / name])
        assert "\n" not in str(caught.value)


def test_a_moved_tag_is_found(published: str) -> None:
    from dataclasses import replace

    head = read_version(f"{published}@v1.0.0")
    moved = replace(head, tags={**head.tags, "v1.0.0": "f" * 40})
    assert [check.name for check in verify_dataset(moved, "v1.0.0") if check.agrees is False] == ["commit of the tag"]


def test_the_command_says_so_and_exits_with_one_on_drift(published: str, tmp_path: Path) -> None:
    from huggingface_hub import HfApi, hf_hub_download

    fine = CliRunner().invoke(verify, [f"{published}@v1.0.0", "--json"], catch_exceptions=False)
    assert fine.exit_code == 0
    assert {check["agrees"] for check in json.loads(fine.stdout)} == {True, None}
    recipe = Path(hf_hub_download(published, "sentisynth.json", repo_type="dataset", revision="v1.0.0")).read_text()
    (tmp_path / "sentisynth.json").write_text(recipe.replace('"candidates": 7', '"candidates": 8'))
    forge(HfApi(), published, {"sentisynth.json": tmp_path / "sentisynth.json"})
    drifted = CliRunner().invoke(verify, ["verify-tests/forged@v1.0.0"])
    assert isinstance(drifted.exception, DriftError)
    assert drifted.exception.exit_code == 1
    assert "NO candidates: published 8, recomputed 7" in drifted.stdout


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nobody/nothing@v1.0.0", "no repo published by sentisynth-hub"),
        (f"{REPO}@v7.0.0", "has no tag v7.0.0"),
        (REPO, "write namespace/name@vX.Y.Z"),
        (f"{REPO}@main", "write namespace/name@vX.Y.Z"),
    ],
)
def test_what_is_not_there_is_said(published: str, spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_version(spec)


def test_labels_that_trained_nothing_are_noted(local_hub: HubState, tmp_path: Path) -> None:
    """As in every version from before all labels trained: half of them chose."""
    old = {"uses": {"train": 50, "validation": 50}, "distinct": 100, "study_distinct": 100, "oracle_validation": False}
    for number, (budget, noted) in enumerate(((old, True), ({**old, "uses": {"train": 100, "validation": 0}}, False))):
        repo_id = f"verify-tests/labels-{number}"
        publish_model(model_release(tmp_path, label_budget=budget, evaluation=evaluation()), repo_id)
        checks = {one.name: one for one in verify_model(read_version(f"{repo_id}@v1.0.0", "model"), "v1.0.0")}
        assert ("every human label trains" in checks) is noted
    assert "50 labels chose and trained nothing, as all studies did before every label trained" in str(
        {one.name: one for one in verify_model(read_version("verify-tests/labels-0@v1.0.0", "model"), "v1.0.0")}[
            "every human label trains"
        ].recomputed
    )


def test_a_model_verifies_where_its_scores_are_true(local_hub: HubState, tmp_path: Path) -> None:
    from sentisynth_hub.pretrained.classifier import open_classifier

    given = model_release(tmp_path)
    natural = natural_data()
    said = open_classifier(given.folder).predict([row.text for row in natural.test])
    accuracy = sum(a == row.label for a, row in zip(said, natural.test, strict=True)) / 2
    place = given.recipe.labels.index
    truth, answers = (
        np.array([place(str(name)) for name in part]) for part in ([r.label for r in natural.test], said)
    )
    low, high = single_model_scores(truth, answers, 2)["accuracy"][1:]
    for number, (score, agrees) in enumerate(((accuracy, True), (accuracy - 0.25, False))):
        repo_id = f"verify-tests/model-{number}"
        ends = {"accuracy": (low, high if agrees else high - 0.01)}
        publish_model(model_release(tmp_path, scores={"accuracy": score}, intervals=ends), repo_id)
        head = read_version(f"{repo_id}@v1.0.0", "model")
        checks = {check.name: check.agrees for check in verify_model(head, "v1.0.0", natural)}
        assert checks.pop("test scores") is agrees
        assert checks.pop("intervals of the test scores") is agrees
        assert all(checks.values())


def test_diff_counts_and_shows_rows(published: str) -> None:
    before, after = read_side(f"{published}@v1.0.0"), read_side(f"{published}@v2.0.0")
    changes, rows = compare(before, after)
    assert rows.counts() == {"added": 1, "removed": 0, "relabelled": 2, "unchanged": 2}
    assert changes["level"] == "major"
    found = record(before, after)
    assert found["relabelled"] == {"negative -> positive": 2}
    assert found["examples"]["added"][0]["text"] == "one row more"
    shown = CliRunner().invoke(diff, [f"{published}@v1.0.0", f"{published}@v2.0.0"], catch_exceptions=False).stdout
    assert "+1 rows, -0 rows, 2 relabelled" in shown
    assert "  ~ negative -> positive: the film was dull and grey" in shown
    as_json = CliRunner().invoke(
        diff, [f"{published}@v1.0.0", f"{published}@v2.0.0", "--json"], catch_exceptions=False
    )
    assert json.loads(as_json.stdout) == found


def test_diff_reads_a_run_folder(published: str, tmp_path: Path) -> None:
    from sentisynth_hub.core.rows import write_rows
    from sentisynth_hub.core.run_folder import stage_folder

    stage = stage_folder(tmp_path / "tiny", "filter", version=1, recipe={"labels": ["negative", "positive"]})
    write_rows(stage.path / "replicate-0" / "kept.parquet", synthetic(TEXTS[:3]))
    with pytest.raises(InputError, match="no complete filter stage"):
        read_side(str(tmp_path / "tiny"))
    stage.finish({})
    changes, _ = compare(read_side(f"{published}@v1.0.0"), read_side(str(tmp_path / "tiny")))
    assert changes["reasons"] == ["1 rows removed"]


def test_diff_says_what_is_not_there(published: str) -> None:
    for spec, message in (
        (f"{published}@v9.0.0", "has no revision"),
        ("nowhere", "neither a folder"),
        ("a/b", "no dataset published"),
    ):
        with pytest.raises(InputError, match=message):
            read_side(spec)
