"""Publishing to a Hub: one commit, one tag, or nothing."""

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.core.rows import Row
from sentisynth_hub.localhub.control import HubState
from sentisynth_hub.publish.commit import (
    Published,
    Standing,
    already_published,
    publish_dataset,
    publish_model,
    set_missing_tag,
)
from sentisynth_hub.recipe import Recipe
from tests.support.releases import TEXTS, evaluation, model_release, recipe_in, release, synthetic


if TYPE_CHECKING:
    from huggingface_hub import HfApi

_number = itertools.count()


@pytest.fixture
def repo_id() -> str:
    return f"publish-tests/one-{next(_number)}"


@pytest.fixture
def api(local_hub: HubState) -> "HfApi":
    from huggingface_hub import HfApi

    return HfApi()


def commits(api: "HfApi", repo_id: str, repo_type: str = "dataset") -> list[str]:
    """Titles, newest first, without the one that made the repo."""
    return [commit.title for commit in api.list_repo_commits(repo_id, repo_type=repo_type)][:-1]


def tags(api: "HfApi", repo_id: str, repo_type: str = "dataset") -> dict[str, str]:
    return {tag.name: tag.target_commit for tag in api.list_repo_refs(repo_id, repo_type=repo_type).tags}


def text_of(repo_id: str, path: str, revision: str, repo_type: str = "dataset") -> str:
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(repo_id, path, repo_type=repo_type, revision=revision)).read_text("utf-8")


def publish(tmp_path: Path, repo_id: str, kept: Sequence[Row] | None = None, **given: Any) -> Published:
    return publish_dataset(release(tmp_path, kept=kept, **given), repo_id)


def test_first_version_is_one_commit_and_one_tag_in_a_private_repo(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    done = publish(tmp_path, repo_id)
    assert (done.version, done.changed, done.why) == ("v1.0.0", True, "first version")
    assert commits(api, repo_id) == ["Publish v1.0.0"]
    assert tags(api, repo_id) == {"v1.0.0": done.commit}
    info = api.dataset_info(repo_id)
    assert info.private
    assert {sibling.rfilename for sibling in info.siblings or []} == {
        ".gitattributes",
        "CHANGELOG.md",
        "README.md",
        "data/train-00000-of-00001.parquet",
        "lineage/train-00000-of-00001.parquet",
        "prompt.jinja2",
        "recipe.yaml",
        "rejected/train-00000-of-00001.parquet",
        "sentisynth.json",
        "unfiltered/train-00000-of-00001.parquet",
    }


def test_the_same_content_again_is_no_commit_and_no_tag(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    first = publish(tmp_path, repo_id, evaluation=evaluation())
    same = replace(release(tmp_path, evaluation=evaluation()), kept=synthetic(TEXTS)[::-1], inputs_digest="9" * 64)
    again = publish_dataset(same, repo_id)
    assert (again.changed, again.why, again.commit) == (False, "nothing changed since v1.0.0", first.commit)
    assert len(commits(api, repo_id)) == len(tags(api, repo_id)) == 1


def test_versions_follow_from_what_changed(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    more = [*TEXTS, "one row more"]
    steps: list[tuple[Sequence[Row], dict[str, Any], str, str]] = [
        (synthetic(TEXTS), {}, "v1.0.0", "first version"),
        (synthetic(TEXTS), {"evaluation": evaluation()}, "v1.0.1", "evaluation changed, looks changed"),
        (synthetic(more), {}, "v1.1.0", "1 rows added"),
        (synthetic(more, ["positive"] * 5), {}, "v2.0.0", "3 rows relabelled"),
        (synthetic(TEXTS, ["positive"] * 4), {}, "v2.1.0", "1 rows removed"),
    ]
    for kept, given, version, why in steps:
        done = publish(tmp_path, repo_id, kept, **given)
        assert done.version == version
        assert done.why.startswith(why)
    assert commits(api, repo_id) == [f"Publish {version}" for *_, version, _ in reversed(steps)]
    assert list(tags(api, repo_id)) == [version for *_, version, _ in steps]
    changelog = text_of(repo_id, "CHANGELOG.md", "v2.1.0")
    assert [line for line in changelog.splitlines() if line.startswith("## ")] == [
        f"## {v}" for *_, v, _ in reversed(steps)
    ]


def figures_at(api: "HfApi", repo_id: str, revision: str, repo_type: str = "dataset") -> list[str]:
    return [
        path for path in api.list_repo_files(repo_id, revision=revision, repo_type=repo_type) if "figures/" in path
    ]


def test_cards_show_figures_of_the_evaluation(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    from huggingface_hub import hf_hub_download

    publish(tmp_path, repo_id, evaluation=evaluation())
    publish_model(model_release(tmp_path, evaluation=evaluation()), repo_id)
    for repo_type in ("dataset", "model"):
        shown = figures_at(api, repo_id, "v1.0.0", repo_type)
        card = text_of(repo_id, "README.md", "v1.0.0", repo_type)
        assert "figures/effects.png" in shown
        for path in shown:
            assert f"]({path})" in card
            local = Path(hf_hub_download(repo_id, path, repo_type=repo_type, revision="v1.0.0"))
            assert local.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("machine", ["same", "other fonts", "no matplotlib"])
def test_figures_alone_never_make_a_version(
    api: "HfApi", tmp_path: Path, repo_id: str, machine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path, repo_id, evaluation=evaluation())
    publish_model(model_release(tmp_path, evaluation=evaluation()), repo_id)
    shown = figures_at(api, repo_id, "v1.0.0")
    if machine == "other fonts":
        monkeypatch.setattr("sentisynth_hub.verdict.figures._DPI", 60)
    if machine == "no matplotlib":
        monkeypatch.setattr("sentisynth_hub.publish.card_figures.find_spec", lambda name: None)
    assert not publish(tmp_path, repo_id, evaluation=evaluation()).changed
    assert not publish_model(model_release(tmp_path, evaluation=evaluation()), repo_id).changed
    assert len(commits(api, repo_id)) == len(commits(api, repo_id, "model")) == 1
    more = publish(tmp_path, repo_id, synthetic([*TEXTS, "one row more"]), evaluation=evaluation())
    assert more.plan is not None
    assert not [path for path in more.plan.additions if path.startswith("figures/")]
    assert figures_at(api, repo_id, more.version) == shown


def test_a_version_made_where_nothing_can_be_drawn_has_no_figures_and_gets_none_later(
    api: "HfApi", tmp_path: Path, repo_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setattr("sentisynth_hub.publish.card_figures.find_spec", lambda name: None)
        publish(tmp_path, repo_id, evaluation=evaluation())
    assert "![" not in text_of(repo_id, "README.md", "v1.0.0")
    assert not publish(tmp_path, repo_id, evaluation=evaluation()).changed
    done = publish(tmp_path, repo_id, evaluation={**evaluation(), "margin": 0.05})
    assert (done.version, figures_at(api, repo_id, "v1.0.1") != []) == ("v1.0.1", True)


def test_a_deleted_figure_is_drawn_again_and_a_new_evaluation_takes_the_old_ones_away(
    api: "HfApi", tmp_path: Path, repo_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path, repo_id, evaluation=evaluation())
    shown = figures_at(api, repo_id, "v1.0.0")
    api.delete_file("figures/effects.png", repo_id, repo_type="dataset")
    restored = publish(tmp_path, repo_id, evaluation=evaluation())
    assert restored.why == "figures/effects.png restored"
    assert figures_at(api, repo_id, restored.version) == shown
    monkeypatch.setattr("sentisynth_hub.publish.card_figures.find_spec", lambda name: None)
    other = publish(tmp_path, repo_id, evaluation={**evaluation(), "margin": 0.05})
    assert figures_at(api, repo_id, other.version) == []
    assert "![" not in text_of(repo_id, "README.md", other.version)


def test_looks_at_the_test_rows_are_counted_over_the_versions(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    import json

    other = {**evaluation(), "margin": 0.05}
    for made in (evaluation(), evaluation(), other):
        done = publish(tmp_path, repo_id, evaluation=made)
    assert json.loads(text_of(repo_id, "sentisynth.json", done.version))["looks"] == 2


def test_a_smaller_corpus_leaves_no_stale_shard(
    api: "HfApi", tmp_path: Path, repo_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets import load_dataset

    monkeypatch.setattr("sentisynth_hub.publish.dataset_tables._SHARD_ROWS", 2)
    publish(tmp_path, repo_id)
    assert sum(path.startswith("data/") for path in api.list_repo_files(repo_id, repo_type="dataset")) == 2
    done = publish(tmp_path, repo_id, synthetic(TEXTS[:2]))
    files = api.list_repo_files(repo_id, repo_type="dataset")
    assert [path for path in files if path.startswith("data/")] == ["data/train-00000-of-00001.parquet"]
    assert load_dataset(repo_id, revision=done.version, split="train")["text"] == TEXTS[:2]
    assert load_dataset(repo_id, revision="v1.0.0", split="train")["text"] == TEXTS


def test_what_people_add_survives(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    publish(tmp_path, repo_id)
    card = text_of(repo_id, "README.md", "main").replace("\n---\n", "\ndoi: 10.1/x\n---\n", 1) + "\nOur own words.\n"
    for path, content in (("README.md", card), ("picture.png", "not ours")):
        api.upload_file(path_or_fileobj=content.encode(), path_in_repo=path, repo_id=repo_id, repo_type="dataset")
    again = publish(tmp_path, repo_id)
    assert not again.changed
    done = publish(tmp_path, repo_id, synthetic([*TEXTS, "one row more"]))
    card = text_of(repo_id, "README.md", done.version)
    assert "Our own words." in card
    assert "doi: 10.1/x" in card
    assert "picture.png" in api.list_repo_files(repo_id, repo_type="dataset", revision=done.version)


def test_a_deleted_file_is_restored(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    publish(tmp_path, repo_id)
    api.delete_file("recipe.yaml", repo_id, repo_type="dataset")
    done = publish(tmp_path, repo_id)
    assert (done.version, done.why) == ("v1.0.1", "recipe.yaml changed, recipe.yaml restored")


def test_a_version_without_its_tag_is_healed_at_its_own_commit(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    first = publish(tmp_path, repo_id)
    api.delete_tag(repo_id, tag="v1.0.0", repo_type="dataset")  # as if the publisher had died before it
    api.upload_file(path_or_fileobj=b"x", path_in_repo="notes.txt", repo_id=repo_id, repo_type="dataset")
    again = publish(tmp_path, repo_id)
    assert not again.changed
    assert tags(api, repo_id) == {"v1.0.0": first.commit}


def test_healing_does_not_walk_past_the_version_before(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    publish(tmp_path, repo_id)
    second = publish(tmp_path, repo_id, synthetic([*TEXTS, "one row more"]))
    api.delete_tag(repo_id, tag="v1.1.0", repo_type="dataset")
    assert already_published("0" * 64, repo_id, "dataset") == Standing("v1.1.0", tagged=False)
    assert set_missing_tag(repo_id, "dataset")
    assert tags(api, repo_id)["v1.1.0"] == second.commit


def test_a_dry_run_writes_nothing_and_says_everything(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    given = release(tmp_path)  # once: what hides a text is drawn for each run folder
    planned = publish_dataset(given, repo_id, dry_run=True)
    assert not api.repo_exists(repo_id, repo_type="dataset")
    assert planned.changed
    assert planned.commit is None
    assert planned.plan is not None
    lines = planned.plan.lines()
    assert lines[0] == f"dataset {repo_id}: v1.0.0 (first version)"
    assert any(line.startswith("  + data/train-00000-of-00001.parquet  ") for line in lines)
    done = publish_dataset(given, repo_id)
    assert done.plan is not None
    assert done.plan.record() == planned.plan.record()


def test_a_pull_request_is_opened_once_and_tagged_after_it_was_merged(
    api: "HfApi", tmp_path: Path, repo_id: str
) -> None:
    first = publish(tmp_path, repo_id)
    more = release(tmp_path, kept=synthetic([*TEXTS, "one row more"]))
    proposed = publish_dataset(more, repo_id, create_pr=True)
    assert (proposed.version, proposed.changed) == ("v1.1.0", True)
    assert proposed.pull_request is not None
    assert tags(api, repo_id) == {"v1.0.0": first.commit}
    again = publish_dataset(more, repo_id, create_pr=True)
    assert (again.changed, again.pull_request) == (False, proposed.pull_request)
    api.merge_pull_request(repo_id, int(proposed.pull_request.rsplit("/", 1)[1]), repo_type="dataset")
    assert not publish_dataset(more, repo_id, create_pr=True).changed
    assert set(tags(api, repo_id)) == {"v1.0.0", "v1.1.0"}
    from datasets import load_dataset

    assert load_dataset(repo_id, revision="v1.1.0", split="train").num_rows == 5


def test_a_repo_of_other_making_is_left_alone(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    api.create_repo(repo_id, repo_type="dataset")
    api.upload_file(path_or_fileobj=b"a,b\n", path_in_repo="mine.csv", repo_id=repo_id, repo_type="dataset")
    with pytest.raises(PublishError, match=r"holds mine.csv but no sentisynth.json"):
        publish(tmp_path, repo_id)
    assert commits(api, repo_id) == ["Upload mine.csv with huggingface_hub"]


def test_a_repo_with_a_card_only_is_taken_over_and_its_words_kept(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    api.create_repo(repo_id, repo_type="dataset")
    api.upload_file(
        path_or_fileobj=b"---\ndoi: 10.1/x\n---\n# Ours\n",
        path_in_repo="README.md",
        repo_id=repo_id,
        repo_type="dataset",
    )
    assert publish(tmp_path, repo_id).version == "v1.0.0"
    assert text_of(repo_id, "README.md", "v1.0.0").endswith("# Ours\n")


def test_a_tag_that_is_taken_is_not_moved(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    first = publish(tmp_path, repo_id)
    api.create_tag(repo_id, tag="v1.1.0", repo_type="dataset")
    with pytest.raises(PublishError, match="the next version is v1.1.0, but that tag exists already"):
        publish(tmp_path, repo_id, synthetic([*TEXTS, "one row more"]))
    assert tags(api, repo_id) == {"v1.0.0": first.commit, "v1.1.0": first.commit}
    assert len(commits(api, repo_id)) == 1


def test_a_broken_manifest_stops_instead_of_starting_over(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    publish(tmp_path, repo_id)
    api.upload_file(path_or_fileobj=b"{", path_in_repo="sentisynth.json", repo_id=repo_id, repo_type="dataset")
    with pytest.raises(PublishError, match="sentisynth.json at .* cannot be read; restore it"):
        publish(tmp_path, repo_id)


def test_a_dataset_repo_is_not_a_model_repo(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    publish(tmp_path, repo_id)
    publish_model(model_release(tmp_path), repo_id)  # the same id as another type is another repo
    manifest = text_of(repo_id, "sentisynth.json", "main")
    api.upload_file(path_or_fileobj=manifest.encode(), path_in_repo="sentisynth.json", repo_id=repo_id)
    with pytest.raises(PublishError, match=r"sentisynth.json is not a model's"):
        publish_model(model_release(tmp_path), repo_id)


def test_the_same_inputs_are_known_before_anything_is_generated(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    assert already_published("a" * 64, repo_id, "dataset") is None
    publish(tmp_path, repo_id, inputs_digest="a" * 64)
    assert already_published("a" * 64, repo_id, "dataset") == Standing("v1.0.0", tagged=True)
    assert already_published("b" * 64, repo_id, "dataset") is None


def test_natural_rows_are_published_only_when_the_recipe_says_so(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    from datasets import load_dataset

    natural = {"dataset": "natural/reviews", "rows_per_label": 2, "publish_rows": True, "licence": "mit"}
    recipe = recipe_in(tmp_path / "with-natural", natural=natural)
    done = publish_dataset(release(tmp_path, recipe=recipe), repo_id)
    rows = load_dataset(repo_id, "natural", revision=done.version, split="train")
    assert "the natural film was bad and long" in rows["text"]
    assert not any("test sentence" in text for text in rows["text"])  # test rows are never published


def test_models_have_versions_of_their_own_and_weight_bytes_are_none(
    api: "HfApi", tmp_path: Path, repo_id: str
) -> None:
    from transformers import pipeline

    moved = {"id": "acme/tiny", "version": "v1.1.0", "commit": "6" * 40}
    steps: list[tuple[dict[str, Any], str, bool]] = [
        ({}, "v1.0.0", True),
        ({"seed": 1}, "v1.0.0", False),
        ({"dataset": moved}, "v1.1.0", True),
        ({"dataset": moved, "scores": {"accuracy": 0.8}}, "v1.1.1", True),
        ({"dataset": moved, "base_model": {"id": "models/other", "commit": "7" * 40}}, "v1.2.0", True),
    ]
    for changed, version, commits_one in steps:
        done = publish_model(model_release(tmp_path, **changed), repo_id)
        assert (done.version, done.changed) == (version, commits_one)
    assert len(commits(api, repo_id, "model")) == len(tags(api, repo_id, "model")) == 4
    classify = pipeline("text-classification", model=repo_id, revision="v1.0.0")
    assert classify("the film was good")[0]["label"] in ("negative", "positive")


def test_a_model_card_is_read_by_the_hubs_own_client(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    from huggingface_hub import ModelCard

    publish_model(model_release(tmp_path, evaluation=evaluation()), repo_id)
    card = ModelCard.load(repo_id)
    card.validate()
    results = {result.metric_name: result for result in card.data.eval_results or []}
    assert results["macro_f1"].metric_value == pytest.approx(0.712346)
    assert results["macro_f1"].dataset_revision == "1" * 40
    assert card.data.datasets == ["acme/tiny", "natural/reviews"]
    assert card.data.base_model == "models/student"


def test_a_models_notes_of_this_machine_stay_here(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    import json

    given = model_release(tmp_path)
    for name, key in (("config.json", "_name_or_path"), ("tokenizer_config.json", "name_or_path")):
        path = given.folder / name
        path.write_text(json.dumps({**json.loads(path.read_text()), key: str(tmp_path / "secret-place")}))
    done = publish_model(given, repo_id)
    for path in api.list_repo_files(repo_id, revision=done.version):
        if not path.endswith(".safetensors"):
            assert "secret-place" not in text_of(repo_id, path, done.version, "model")


def test_a_model_with_other_labels_is_refused(local_hub: HubState, tmp_path: Path, repo_id: str) -> None:
    from sentisynth_hub.core.errors import DataError

    recipe = recipe_in(tmp_path / "three", labels=["negative", "neutral", "positive"])
    with pytest.raises(DataError, match="id2label is"):
        publish_model(replace(model_release(tmp_path), recipe=recipe), repo_id)


def renamed(tmp_path: Path, repo_id: str, **publish: Any) -> Recipe:
    given = {"dataset": repo_id, "model": repo_id, "licence": "cc-by-4.0", **publish}
    return recipe_in(tmp_path / f"recipe-{len(publish)}", publish=given)


def test_a_changed_title_is_a_patch_for_both_repos_and_says_from_what_to_what(
    api: "HfApi", tmp_path: Path, repo_id: str
) -> None:
    before, after = renamed(tmp_path, repo_id), renamed(tmp_path, repo_id, pretty_name="Reviews of films")
    publish(tmp_path, repo_id, recipe=before)
    publish_model(model_release(tmp_path, recipe=before), repo_id)
    dataset = publish(tmp_path, repo_id, recipe=after)
    model = publish_model(model_release(tmp_path, recipe=after), repo_id)
    assert (dataset.version, model.version) == ("v1.0.1", "v1.0.1")
    for done in (dataset, model):
        assert done.why == 'recipe.yaml changed (publish.pretty_name unset → "Reviews of films")'
        changelog = text_of(repo_id, "CHANGELOG.md", "v1.0.1", done.repo_type)
        assert "| `publish.pretty_name` | unset | " in changelog
        assert "Reviews of films" in changelog.split("## v1.0.0")[0]


def test_a_key_that_decides_what_a_model_learns_is_a_minor_step(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    first = renamed(tmp_path, repo_id)
    second = recipe_in(
        tmp_path / "stricter",
        publish={"dataset": repo_id, "model": repo_id, "licence": "cc-by-4.0"},
        filter={"exact_duplicates": {}, "overlap": {}, "length": {"max_tokens": 40}},
    )
    publish_model(model_release(tmp_path, recipe=first), repo_id)
    change = {
        "metric": "macro_f1",
        "before": 0.8,
        "after": 0.75,
        "difference": -0.05,
        "interval": (-0.12, 0.02),
        "alpha": 0.05,
        "rows": 120,
        "better": 4,
        "worse": 10,
    }
    done = publish_model(model_release(tmp_path, recipe=second, compared=("v1.0.0", change)), repo_id)
    assert done.version == "v1.1.0"
    assert done.why.startswith("recipe.yaml changed (filter.")
    changelog = text_of(repo_id, "CHANGELOG.md", done.version, "model").split("## v1.0.0")[0]
    assert "| `filter.length.max_tokens` | unset | 40 |" in changelog
    assert "On the same 120 natural test rows" in changelog
    assert "0.800 in v1.0.0, 0.750 now; difference −0.050 [−0.120, +0.020] (95.0 %, paired)" in changelog
    assert "4 rows are labelled rightly that were not, 10 no longer are" in changelog


def test_the_changelog_shows_rows_and_measures_both_corpora_alike(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    publish(tmp_path, repo_id, synthetic([f"{text} number {i}" for i in range(60) for text in TEXTS]))
    kept = synthetic([*TEXTS, "a secret that was taken out of nothing"], ["positive"] * 5)
    done = publish(tmp_path, repo_id, kept)
    changelog = text_of(repo_id, "CHANGELOG.md", done.version).split("## v1.0.0")[0]
    words = re.search(r"distinct word pairs in the first (\d+) words", changelog)
    assert words is not None
    assert int(words[1]) < 40  # as many as the smaller corpus has, for both
    assert "| added | positive | " in changelog
    for removed in ("number 7", "number 59"):
        assert removed not in changelog  # a removed row may have been removed for what it says


def test_asking_writes_nothing(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    publish(tmp_path, repo_id)
    api.delete_tag(repo_id, tag="v1.0.0", repo_type="dataset")
    assert already_published("0" * 64, repo_id, "dataset") == Standing("v1.0.0", tagged=False)
    assert tags(api, repo_id) == {}
    assert set_missing_tag(repo_id, "dataset")
    assert not set_missing_tag(repo_id, "dataset")
    assert list(tags(api, repo_id)) == ["v1.0.0"]


def test_the_printed_address_opens_the_card(api: "HfApi", tmp_path: Path, repo_id: str) -> None:
    assert publish(tmp_path, repo_id).url == f"{api.endpoint}/datasets/{repo_id}"
    assert publish_model(model_release(tmp_path), repo_id).url == f"{api.endpoint}/{repo_id}"
