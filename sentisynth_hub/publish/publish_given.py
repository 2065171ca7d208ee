"""Publishing what is there already, a data set or a model, as a version: one commit, one tag, a computed number.

    publish_dataset(frame, "me/reviews", text="review", label="stars", licence="cc-by-4.0", language=["en"])
    publish_model("models/reviews", "me/reviews-classifier", test=held_out, licence="mit", language=["en"])

What is left out the second time is taken from the version that stands there.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentisynth_hub.core.errors import DriftError, InputError, PublishError, SentisynthError
from sentisynth_hub.core.hub_endpoint import hub_api, unreachable
from sentisynth_hub.core.repo_ids import repo_id_problem
from sentisynth_hub.publish.card_check import Check
from sentisynth_hub.publish.cards.published_manifest import GivenModelManifest
from sentisynth_hub.publish.commit import Published, publish_publication
from sentisynth_hub.publish.given_dataset import Description, GivenDatasetPublication
from sentisynth_hub.publish.given_model import GivenModelPublication, folder_labels, weight_digests
from sentisynth_hub.publish.given_tables import GivenTables, read_given
from sentisynth_hub.publish.publication import Publication
from sentisynth_hub.publish.repo_head import RepoHead, check_ours, read_head
from sentisynth_hub.publish.verify import read_version
from sentisynth_hub.publish.verify_given import is_given, verify_given
from sentisynth_hub.recipe.study_section import Metric


if TYPE_CHECKING:
    from sentisynth_hub.publish.checks.non_inferiority import NonInferiority
    from sentisynth_hub.verdict.evaluation import Evaluation


def publish_dataset(
    dataset: object,
    repo_id: str,
    *,
    text: str = "text",
    label: str | None = "label",
    label_names: Sequence[str] = (),
    licence: str | None = None,
    language: Sequence[str] | None = None,
    title: str | None = None,
    card: str | Path | None = None,
    synthetic: bool | None = None,
    made_from: Sequence[str] | None = None,
    gates: Sequence[str] = (),
    private: bool = True,
    create_pr: bool = False,
    dry_run: bool = False,
    verify: bool = True,
) -> Published:
    """Publish a data set as the next version of `repo_id`, or do nothing where it is the version that stands there.

    Args:
        dataset: A DataFrame, a list of dictionaries, a `datasets.Dataset` or `DatasetDict` (streams too), a mapping of
            split names to any of them, a file (CSV, TSV, JSONL, Parquet, Excel), or a folder with a file a split.
        repo_id: `namespace/name`; made where it is not there.
        text: Column with the text.
        label: Column with the label; a data set without that column has no labels.
        label_names: Names of integer labels, or the order of label names.
        licence: The Hub's name of it, e.g. `cc-by-4.0`; needed for the first version.
        language: BCP-47 tags, e.g. `["es", "en"]`; needed for the first version.
        title: Title of the card.
        card: Your own words for the card, as Markdown or the path of a Markdown file, metadata included; they stand
            around what is generated. None: what stands on the Hub is kept.
        synthetic: Whether a machine wrote the texts; the card says so. None: not said.
        made_from: Ids of the data sets it was made from.
        gates: What it has to pass: `personal_data`, `duplicates`, `leakage`. Secrets are always looked for.
        private: For a repo that is made now.
        create_pr: Propose the version as a pull request.
        dry_run: Only plan; nothing is written.
        verify: Afterwards compute every digest and number again from what the Hub gives out.

    Returns:
        What was done: `version`, `changed`, `why`, `url`, `plan`, `checks`.

    Raises:
        InputError: Arguments or data are wrong. Nothing was written.
        PublishError: A gate was not passed, a secret was found, or the Hub refused. Nothing was written.
        DriftError: What the Hub gives out is not what was sent.
    """
    with _one_line_errors(), tempfile.TemporaryDirectory(prefix="sentisynth-") as folder:
        head = _head(repo_id, "dataset")
        standing = head.manifest if head is not None else None
        labels = standing.labels if standing is not None else ()
        given = read_given(dataset, text=text, label=label, label_names=label_names, standing=labels)
        description = _description(head, repo_id, licence, language, title, card, synthetic, made_from)
        publication = GivenDatasetPublication(given, description, repo_id, Path(folder), gates)
        return _published(publication, private=private, create_pr=create_pr, dry_run=dry_run, verify=verify)


def publish_model(
    folder: str | Path,
    repo_id: str,
    *,
    test: object | None = None,
    text: str = "text",
    label: str = "label",
    metric: Metric = "macro_f1",
    margin: float = 0.0,
    base_model: str | None = None,
    datasets: Sequence[str] | None = None,
    verdict: "Evaluation | None" = None,
    licence: str | None = None,
    language: Sequence[str] | None = None,
    title: str | None = None,
    card: str | Path | None = None,
    gates: Sequence[str] = (),
    private: bool = True,
    create_pr: bool = False,
    dry_run: bool = False,
    verify: bool = True,
) -> Published:
    """Publish a saved classifier as the next version of `repo_id`, or do nothing where it is the version that stands.

    Args:
        folder: As `save_pretrained` leaves it (safetensors), or a linear head in the layout of sentence-transformers.
        repo_id: `namespace/name`; made where it is not there.
        test: Labelled rows to measure it on, in any form that `publish_dataset` takes; they are not published. The
            last published version answers the same rows, and the changelog says the difference with its interval.
        text: Column of `test` with the text.
        label: Column of `test` with the label.
        metric: What is compared with the last version: `macro_f1`, `accuracy` or `weighted_f1`.
        margin: With the gate `not_worse`: how much lower it may score.
        base_model: Hub id of what it was trained from.
        datasets: Hub ids of what it was trained on, `id@tag` for a version.
        verdict: What `judge` or a study said; it goes onto the card.
        gates: `not_worse`: refuse a model that scores more than `margin` lower than the last version on `test`.
        licence, language, title, card, private, create_pr, dry_run, verify: As for `publish_dataset`.

    Returns:
        What was done: `version`, `changed`, `why`, `url`, `plan`, `checks`.

    Raises:
        InputError: Arguments, folder or rows are wrong; nothing was written.
        PublishError: A gate was not passed, a secret was found, or the Hub refused; nothing was written.
        DriftError: What the Hub gives out is not what was sent.
    """
    with _one_line_errors():
        path = Path(folder)
        wrong = sorted(set(gates) - {"not_worse"})
        if wrong:
            raise InputError(f"no gate {wrong[0]!r} for a model; there is not_worse")
        if "not_worse" in gates and test is None:
            raise InputError("gate not_worse: it needs rows to measure on; give test=")
        labels = folder_labels(path)
        head = _head(repo_id, "model")
        standing = head.manifest if head is not None else None
        before = standing if isinstance(standing, GivenModelManifest) else None
        scores: Mapping[str, float] = before.scores if before else {}
        rows, compared = before.test_rows if before else 0, None
        if test is not None:
            scores, rows, compared = _measured(path, head, read_given(test, text=text, label=label), labels, metric)
            if "not_worse" in gates and compared is not None:
                _check_not_worse(compared, margin)
        elif before is not None and not _same_weights(path, before):
            scores, rows = {}, 0  # what was measured was another model
        publication = GivenModelPublication(
            path,
            _description(head, repo_id, licence, language, title, card, None, None),
            repo_id,
            base_model=base_model or (before.base_model if before else None),
            datasets=list(datasets) if datasets is not None else (before.trained_on if before else []),
            scores=scores,
            test_rows=rows,
            evaluation=verdict.record() if verdict is not None else (before.evaluation if before else None),
            compared=None if compared is None else (compared.tag, compared.change()),
        )
        return _published(publication, private=private, create_pr=create_pr, dry_run=dry_run, verify=verify)


def verify_version(version: str) -> list[Check]:
    """Compute every digest and number of a published version again, `namespace/name@vX.Y.Z`, given or generated.

    A recipe's natural rows are not read here (the command `sentisynth verify` does where it can), so checks that need
    them are among those that could not be made.

    Raises:
        InputError: There is no such version.
    """
    from sentisynth_hub.publish.verify import verify_dataset, verify_model

    with _one_line_errors():
        head, tag = read_version(version), version.partition("@")[2]
        if is_given(head):
            return verify_given(head, tag)
        return verify_dataset(head, tag) if head.repo_type == "dataset" else verify_model(head, tag)


def _head(repo_id: str, repo_type: str) -> RepoHead | None:
    """What stands in the repo; None where there is none.

    Raises:
        InputError: The id is no repo's.
        PublishError: Something else publishes there.
    """
    if (problem := repo_id_problem(repo_id)) is not None:
        raise InputError(f"{repo_id}: {problem}; write namespace/name")
    head = read_head(hub_api(), repo_id, repo_type)
    if head is not None:
        check_ours(head)
        if head.manifest is not None and not is_given(head):
            raise PublishError(
                f"{repo_id}: a recipe publishes there, and its versions say things that are not known of this; name "
                "another repo"
            )
    return head


def _description(
    head: RepoHead | None,
    repo_id: str,
    licence: str | None,
    language: Sequence[str] | None,
    title: str | None,
    card: str | Path | None,
    synthetic: bool | None,
    made_from: Sequence[str] | None,
) -> Description:
    """What the owner says, and says no more of what stands there already."""
    standing = head.manifest if head is not None else None
    if standing is None and (licence is None or not language):
        what = "licence" if licence is None else "language"
        example = "licence='cc-by-4.0'" if licence is None else "language=['en']"
        raise InputError(f"{repo_id}: {what} missing; the first version has to say it, e.g. {example}")
    before = standing.content() if standing is not None else {}
    if isinstance(language, str):
        language = [language]
    return Description(
        licence=licence or before["licence"]["id"],
        language=tuple(language or before["language"]),
        pretty_name=title or before.get("pretty_name") or repo_id.split("/")[1].replace("-", " ").replace("_", " "),
        text=_card_text(card),
        synthetic=synthetic if synthetic is not None else before.get("synthetic"),
        sources=tuple(made_from if made_from is not None else before.get("made_from") or ()),
    )


def _card_text(card: str | Path | None) -> str | None:
    """The owner's Markdown; a path, or a line that ends with .md, is read."""
    if card is None or (isinstance(card, str) and ("\n" in card or not card.endswith(".md"))):
        return card
    path = Path(card)
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8"
        raise InputError(f"{path}: cannot be read ({why}); give Markdown, or the path of a Markdown file") from None


def _measured(
    folder: Path, head: RepoHead | None, test: GivenTables, labels: Sequence[str], metric: Metric
) -> "tuple[Mapping[str, float], int, NonInferiority | None]":
    """The model's scores on the test rows, how many they are, and the comparison with the last version."""
    import numpy as np

    from sentisynth_hub.metrics.classification import METRICS, confusion_counts
    from sentisynth_hub.pretrained.classifier import open_classifier
    from sentisynth_hub.publish.checks.non_inferiority import against_published

    rows = [row for split in test.splits for row in test.rows(split) if row.label is not None]
    unknown = sorted({str(row.label) for row in rows} - set(labels))
    if not rows or unknown:
        what = f"label {unknown[0]!r} is none of the model's ({', '.join(labels)})" if unknown else "no labelled row"
        raise InputError(f"test: {what}; give rows with the model's labels")
    texts, truth = [row.text for row in rows], [str(row.label) for row in rows]
    classifier = open_classifier(folder)
    predicted = classifier.predict(texts)
    place = {name: number for number, name in enumerate(labels)}
    counts = confusion_counts(
        np.array([place[name] for name in truth]), np.array([place[name] for name in predicted]), len(labels)
    )
    scores = {name: float(measure(counts)) for name, measure in METRICS.items()}
    if head is None or head.version is None:
        return scores, len(rows), None
    compared = against_published(head.repo_id, head.version.tag, texts, truth, predicted, labels, metric)
    return scores, len(rows), compared


def _check_not_worse(compared: "NonInferiority", margin: float) -> None:
    if compared.new - compared.old < -margin - 1e-9:
        raise PublishError(
            f"gate not_worse: {compared.metric} {compared.new:.3f} against {compared.old:.3f} of {compared.tag} on "
            f"the same {compared.rows} test rows; it may be {margin:g} lower. Nothing was published"
        )


def _same_weights(folder: Path, standing: GivenModelManifest) -> bool:
    return weight_digests(folder) == dict(standing.weights)


def _published(
    publication: Publication[Any], *, private: bool, create_pr: bool, dry_run: bool, verify: bool
) -> Published:
    result = publish_publication(publication, private=private, create_pr=create_pr, dry_run=dry_run)
    if dry_run or create_pr or not verify:
        return result
    spec = f"{result.repo_id}@{result.version}"
    checks = verify_given(read_version(spec, result.repo_type), result.version)
    wrong = [check.name for check in checks if check.agrees is False]
    if wrong:
        raise DriftError(
            f"{spec}: published, but {len(wrong)} of {len(checks)} checks do not agree: {', '.join(wrong)}; look at "
            f"`sentisynth verify {spec}`"
        )
    return replace(result, checks=tuple(checks))


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """A Hub that cannot be reached is said in one line, like every other error."""
    try:
        yield
    except SentisynthError:
        raise
    except Exception as error:
        if (why := unreachable(error)) is None:
            raise
        raise PublishError(why) from None
