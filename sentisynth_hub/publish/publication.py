"""What publishing anything has in common: from a checked release, or what was there already, and the head of its repo
to the files of one commit.

    from sentisynth_hub.publish.dataset_repo import DatasetPublication
    publication = DatasetPublication(release, "org/name", folder)     # raises where the release may not be published
    plan = publication.plan(head)                                     # any head; nothing is written

A version is made where anything differs: what a subclass publishes, the recipe, a number of the manifest, the card
that follows from it, or a file that is gone.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from sentisynth_hub import __version__
from sentisynth_hub.core.errors import PublishError
from sentisynth_hub.core.files import canonical_json
from sentisynth_hub.publish.card_figures import Pictures
from sentisynth_hub.publish.cards.front_matter import front_matter, split_card
from sentisynth_hub.publish.cards.published_manifest import (
    MANIFEST_FILE,
    SCHEMA,
    DatasetManifest,
    GivenDatasetManifest,
    GivenModelManifest,
    ModelManifest,
    rounded,
)
from sentisynth_hub.publish.cards.render import render_card, render_changelog
from sentisynth_hub.publish.checks.licences import gather_licences
from sentisynth_hub.publish.checks.safety import NaturalTexts, check_files
from sentisynth_hub.publish.release import DatasetRelease, ModelRelease, publishable_recipe, recipe_digest
from sentisynth_hub.publish.repo_head import RepoHead
from sentisynth_hub.publish.version_plan import Plan
from sentisynth_hub.publish.versions.changes import Changes
from sentisynth_hub.publish.versions.recipe_changes import RecipeChange, recipe_changes
from sentisynth_hub.publish.versions.tags import FIRST, Version, parse_tag


CARD, CHANGELOG = "README.md", "CHANGELOG.md"
_VOLATILE = frozenset({"schema", "toolkit", "inputs_digest", "earlier"})  # may differ where nothing else does
_MOST_EARLIER = 50  # versions that a card links to
_FOLLOWING = frozenset({"figures", "files"})  # follow from other keys, and are named where nothing else changed

ManifestT = TypeVar("ManifestT", DatasetManifest, ModelManifest, GivenDatasetManifest, GivenModelManifest)


@dataclass(frozen=True)
class Content:
    """What is published beside card and recipe.

    Attributes:
        record: What the manifest says of it.
        paths: All its files.
        files: Those that the head lacks, by path.
    """

    record: dict[str, Any]
    paths: list[str]
    files: dict[str, bytes | Path]


class Publication(ABC, Generic[ManifestT]):
    """What is to be published, checked, ready to be planned against any head of its repo.

    Attributes:
        repo_type: `dataset` or `model`.
        texts: Text files that are published as they are, by path.
        people: What is to stand around the generated part of the card; None: what stands there is kept.
        facts: The manifest's content that does not depend on the head.
    """

    repo_type: str
    manifest_kind: type[ManifestT]

    def __init__(
        self,
        repo_id: str,
        texts: Mapping[str, str],
        common: Mapping[str, Any],
        *,
        natural: NaturalTexts | None = None,
        people: str | None = None,
    ):
        self.repo_id, self.texts, self.natural, self.people = repo_id, dict(texts), natural, people
        self.figures = Pictures(cast(dict[str, Any] | None, rounded(common["evaluation"])))
        self.facts: dict[str, Any] = {}
        self._common = {"schema": SCHEMA, "repo_id": repo_id, **common}

    @abstractmethod
    def changed_content(self, head: RepoHead, standing: ManifestT) -> list[str]:
        """What of the published content differs from the head's, in short phrases."""

    @abstractmethod
    def changes(self, head: RepoHead | None, standing: ManifestT | None, differences: list[str]) -> Changes:
        """The level of the version that these differences make, and why."""

    @abstractmethod
    def content(self, standing: ManifestT | None) -> "Content":
        """The published content as it goes beside the head's: its record, its paths, and what has to be sent."""

    @abstractmethod
    def kept_content(self, standing: ManifestT) -> "Content":
        """The head's own content, recorded as it is there; nothing has to be sent."""

    @property
    @abstractmethod
    def shows_natural_rows(self) -> bool:
        """Whether texts beside the data may hold natural rows."""

    def plan(self, head: RepoHead | None) -> Plan:
        """Decide what to do about `head`.

        Raises:
            PublishError: The head cannot be built upon, or a planned file may not be published.
        """
        standing = self.standing(head)
        differences = self.differences(head, standing) if head is not None and standing is not None else []
        if head is not None and standing is not None and not differences:
            assert head.version is not None
            return Plan(self.repo_id, self.repo_type, head.commit, head.version, None, {}, ())
        changes = self.changes(head, standing, differences)
        version = FIRST if head is None or head.version is None else head.version.next(changes["level"])
        figures, pictures = self.figures.plan(head, standing)
        content = self.content(standing)
        manifest = self._manifest(version.tag[1:], changes, content, figures, _earlier(head, version))
        additions = {**content.files, **self._rendered(manifest, head), **pictures}
        old = set(standing.files) if standing is not None else set()
        stale = (old - set(manifest.files)) & head.paths if head is not None else set()
        parent = head.commit if head is not None else None
        return Plan(self.repo_id, self.repo_type, parent, version, changes, additions, tuple(sorted(stale)))

    def check(self) -> None:
        """Look through the texts that do not depend on the head, before anything is made on the Hub.

        Raises:
            PublishError: One holds a secret, a path of this machine, or a natural row.
        """
        check_files(self.texts, None if self.shows_natural_rows else self.natural)

    def standing(self, head: RepoHead | None) -> ManifestT | None:
        """The head's manifest; None where nothing was published yet.

        Raises:
            PublishError: The repo holds the other kind of thing.
        """
        manifest = head.manifest if head is not None else None
        if manifest is not None and not isinstance(manifest, self.manifest_kind):
            raise PublishError(f"{self.repo_id}: its {MANIFEST_FILE} is not a {self.repo_type}'s; name another repo")
        return manifest

    def differences(self, head: RepoHead, standing: ManifestT) -> list[str]:
        """What would differ if this were published as the head's version again; empty: nothing to do."""
        differing = self.changed_content(head, standing)
        differing += [self._changed_text(head, path) for path in self.texts if head.text(path) != self.texts[path]]
        differing += [f"{path} restored" for path in standing.files if path not in head.paths]
        if differing:
            return differing
        figures, _ = self.figures.plan(head, standing)
        kept = self.kept_content(standing)
        again = self._manifest(standing.version, standing.changes, kept, figures, standing.earlier).content()
        before = standing.content()
        keys = [key for key in {**again, **before} if key not in _VOLATILE]
        changed = [key for key in keys if canonical_json(again.get(key)) != canonical_json(before.get(key))]
        if changed:
            causes = [key for key in changed if key not in _FOLLOWING] or changed
            return [f"{key.replace('_', ' ')} changed" for key in causes]
        return [] if head.text(CARD) == render_card(standing, self._card_before(head)) else ["card changed"]

    def _changed_text(self, head: RepoHead, path: str) -> str:
        changes = self.recipe_changes(head) if path == "recipe.yaml" else []
        if not changes:
            return f"{path} changed"
        first = changes[0]
        more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
        return f"{path} changed ({first['key']} {_said(first['before'])} → {_said(first['after'])}{more})"

    def recipe_changes(self, head: RepoHead | None) -> list[RecipeChange]:
        """Which keys of the published recipe changed, from which value to which; empty for a first version."""
        before = head.text("recipe.yaml") if head is not None else None
        return [] if before is None else recipe_changes(before, self.texts["recipe.yaml"])

    def _card_before(self, head: RepoHead | None) -> str:
        """README.md as people want it around the generated part: as it stands, or with the text that was given."""
        standing = (head.text(CARD) if head is not None else None) or ""
        if self.people is None:
            return standing
        metadata, text = split_card(self.people)
        metadata = {**split_card(standing)[0], **metadata}
        return (front_matter(metadata) if metadata else "") + text

    def _manifest(
        self, version: str, changes: Changes, content: "Content", figures: list[str], earlier: list[str] | None
    ) -> ManifestT:
        files = sorted({*content.paths, *figures, *self.texts, CARD, CHANGELOG, MANIFEST_FILE})
        whole = {
            **self._common,
            **self.facts,
            **content.record,
            "toolkit": __version__,
            "version": version,
            "changes": changes,
            "files": files,
            **({"figures": figures} if figures else {}),
            **({"earlier": earlier} if earlier else {}),
        }
        return self.manifest_kind.model_validate(rounded(whole))

    def _rendered(self, manifest: ManifestT, head: RepoHead | None) -> dict[str, bytes | Path]:
        changelog = (head.text(CHANGELOG) if head is not None else None) or ""
        texts = {
            **self.texts,
            CARD: render_card(manifest, self._card_before(head)),
            CHANGELOG: render_changelog(manifest, changelog),
            MANIFEST_FILE: manifest.text(),
        }
        check_files(texts, None if self.shows_natural_rows else self.natural)
        return {path: content.encode("utf-8") for path, content in texts.items()}


def release_parts(
    release: DatasetRelease | ModelRelease,
) -> tuple[dict[str, str], dict[str, Any], NaturalTexts]:
    """What a run's release says of itself whatever it publishes: texts by path, keys of the manifest, natural rows.

    Raises:
        RecipeError: A licence is unknown or clashes.
    """
    recipe = publishable_recipe(release.recipe)
    common = {
        "recipe": {
            "name": release.recipe.name,
            "description": release.recipe.description,
            "digest": recipe_digest(recipe),
        },
        "language": release.recipe.language,
        "labels": release.recipe.labels,
        "licence": gather_licences(release.recipe, release.pins, written_by_generator=release.synthetic_rows != 0),
        "evaluation": release.evaluation,
        "label_budget": release.label_budget,
        "inputs_digest": release.inputs_digest,
    }
    return {"recipe.yaml": recipe}, common, NaturalTexts(release.natural)


def _earlier(head: RepoHead | None, version: Version) -> list[str] | None:
    """Tags of the versions before `version`, newest first; None where there are none."""
    tags = head.tags if head is not None else ()
    versions = sorted((before for tag in tags if (before := parse_tag(tag)) and before < version), reverse=True)
    return [before.tag for before in versions[:_MOST_EARLIER]] or None


def _said(value: str | None) -> str:
    return "unset" if value is None else value


def natural_source(source: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """What may be said of the natural source: ids, commits and counts, never a path."""
    return {"dataset": None, "commit": None, **{name: source[name] for name in names if name in source}}
