"""What a repo may be called: never laxer than the Hub's own client, and checked when a recipe is loaded."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentisynth_hub.core.errors import RecipeError
from sentisynth_hub.core.repo_ids import repo_id_problem
from tests.support.releases import recipe_in


PARTS = st.text(st.sampled_from("ab0_.-/ \u00e9'\"${}\n@:"), max_size=12)


@given(st.builds("{}/{}".format, PARTS, PARTS))
def test_short_ids_pass_here_where_they_pass_the_client(repo_id: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(repo_id)
        passes = True
    except HFValidationError:
        passes = False
    assert (repo_id_problem(repo_id) is None) is passes


@pytest.mark.parametrize(
    "repo_id", ["acme/data", "a/b", "Acme_1/some.data-set_2", "_a/b_", "acme/" + "x" * 91, "YOUR-NAME/data"]
)
def test_ids_that_are_fine(repo_id: str) -> None:
    assert repo_id_problem(repo_id) is None


@pytest.mark.parametrize(
    "repo_id",
    [
        "acme/m' || secrets.OPENAI_API_KEY || '",
        "acme/d > out",
        "acme/x --hub local",
        "acme/x\n  - run: evil",
        "acme/a--b",
        "acme/a..b",
        "acme/a.git",
        "acme/a.GIT",
        "-acme/a",
        "acme/.a",
        "acme/a-",
        "acme/caf\u00e9",
        "acme/" + "x" * 92,
        "acme",
        "a/b/c",
        "",
        "/",
    ],
)
@pytest.mark.parametrize("key", ["dataset", "model"])
def test_a_recipe_with_another_one_does_not_load(tmp_path: Path, key: str, repo_id: str) -> None:
    with pytest.raises(RecipeError, match=rf"publish.{key}: found .*: a repo id"):
        recipe_in(tmp_path, publish={key: repo_id, "licence": "mit"})
