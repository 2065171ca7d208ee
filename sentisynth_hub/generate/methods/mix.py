"""Code-mixing as a target (arXiv 2502.12924): every prompt asks for the mix of a natural row of its label.

The share of each language and the number of switches are measured word by word, by the tagger of the code-mixing
filter, on the replicate's own rows; what is asked for is therefore distributed as people write. What comes back is
not: the filter `mixing_match` rejects until the distributions agree.
"""

from collections import Counter
from dataclasses import replace

from sentisynth_hub.core.errors import DataError
from sentisynth_hub.generate.methods.few_shot import FewShot
from sentisynth_hub.generate.methods.method import MethodContext, PromptContent
from sentisynth_hub.generate.prompts import walk
from sentisynth_hub.metrics.code_mixing import UNKNOWN, Tags, spans, unknown_share
from sentisynth_hub.metrics.word_languages import WordTagger
from sentisynth_hub.recipe.languages import language_name
from sentisynth_hub.recipe.method_section import FewShotOptions, MixOptions


class Mix(FewShot):
    """Shows labelled rows and asks for a text that mixes the languages as one of them does."""

    name = "mix"
    options = MixOptions
    needs = ("mix_explained",)

    def __init__(self, options: MixOptions, context: MethodContext):
        super().__init__(FewShotOptions(), context)
        tagger = WordTagger(context.recipe.language)
        self._targets: dict[str, list[Tags]] = {}
        for label, rows in context.pool.items():
            tags = [tagger.tags(row.text) for row in rows]
            self._targets[label] = [each for each in tags if _is_known(each, options.max_unknown)]
            if not self._targets[label]:
                raise DataError(
                    f"generate.method: the tagger knows too few words of every row of {label!r} in replicate "
                    f"{context.sample.replicate}; raise method.max_unknown, or use few_shot"
                )

    def content(self, label: str, number: int) -> PromptContent:
        """As few-shot, with the mix of the next row of the label."""
        plain = super().content(label, number)
        targets = self._targets[label]
        replicate = self.context.sample.replicate
        target = walk(targets, number, self.context.recipe.seed, "mixes", replicate, label)
        shares, switches = language_shares(target), max(0, len(spans(target)) - 1)
        attributes = {"mix": " ".join(f"{tag} {share}" for tag, share in shares.items()), "switches": str(switches)}
        return replace(
            plain,
            attributes={**plain.attributes, **attributes},
            insertions={"mix_explained": explained(shares, switches)},
        )


def language_shares(tags: Tags) -> dict[str, int]:
    """Percent of the words of each language, in steps of ten, the most frequent first."""
    counts = Counter(tag for tag in tags if tag is not None and tag != UNKNOWN)
    total = sum(counts.values())
    ordered = sorted(counts, key=lambda tag: (-counts[tag], tag))
    return {tag: round(10 * counts[tag] / total) * 10 for tag in ordered}


def explained(shares: dict[str, int], switches: int) -> str:
    """The mix in words, for a prompt."""
    parts = [f"about {share} % of the words in {language_name(tag)}" for tag, share in shares.items() if share]
    if len(parts) < 2:  # noqa: PLR2004 (one language only)
        return f"all words in {language_name(next(iter(shares)))}"
    times = "once" if switches == 1 else f"{switches} times"
    return f"{', '.join(parts[:-1])} and {parts[-1].removeprefix('about ')}, switching {times}"


def _is_known(tags: Tags, most: float) -> bool:
    return any(tag is not None and tag != UNKNOWN for tag in tags) and unknown_share(tags) <= most
