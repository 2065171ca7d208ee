"""`filter:` which candidates stay. The order of the keys is the order of the filters; a missing key is a filter not
used.
"""

from typing import Any, Literal

from pydantic import Field, model_validator

from sentisynth_hub.recipe.section import ModelRef, Section


class Encoder(ModelRef):
    """A frozen encoder whose mean-pooled features are used."""

    prefix: str = ""
    """Put before every text, as e5 models want `query: `."""
    max_length: int = Field(default=128, ge=8)
    """Tokens a text is cut to."""
    threads: int = Field(default=2, ge=1)
    """CPU threads; fixed in the recipe because another number rounds otherwise."""


class Scorer(ModelRef):
    """A causal language model whose perplexities are used."""

    max_length: int = Field(default=512, ge=2)
    """Tokens of a text that are scored."""
    batch_size: int = Field(default=32, ge=1)
    """Texts of one forward pass."""
    threads: int = Field(default=2, ge=1)
    """CPU threads; fixed in the recipe because another number rounds otherwise."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Number format of the model."""


class LengthFilter(Section):
    """Drops texts that are empty, too short or too long."""

    min_tokens: int = Field(default=3, ge=1)
    """Words and symbols a text must have."""
    max_tokens: int = Field(default=80, ge=1)
    """Words and symbols a text may have."""


class LanguageFilter(Section):
    """Drops texts in a script the natural rows are not written in, or in none of the recipe's languages."""

    scripts: list[str] | None = None
    """Unicode scripts (`Latin`, `Malayalam`); left out: those of the natural rows."""
    max_other_script: float = Field(default=0.1, ge=0, le=1)
    """Share of a text's letters that may be of other scripts."""
    min_confidence: float = Field(default=0.1, ge=0, le=1)
    """Probability that the text is in one of the recipe's languages; used where lingua knows all of them."""


class RefusalsFilter(Section):
    """Drops refusals, talk about being a model, and phrases that frame an answer (`Sure, here is …`)."""


class ConflictingLabelsFilter(Section):
    """Drops every row whose normalised text stands among the candidates with another label too."""


class NearDuplicatesFilter(Section):
    """Keeps the first of rows that share most of their character runs (MinHash, verified by exact Jaccard)."""

    min_jaccard: float = Field(default=0.8, gt=0, le=1)
    """Jaccard similarity of the sets of five-character runs from which two rows are near duplicates."""


class SemanticDuplicatesFilter(Section):
    """Keeps the first of rows whose embeddings are closer than natural rows come to each other."""

    encoder: Encoder
    """Where the embeddings come from."""
    natural_quantile: float = Field(default=0.99, ge=0, le=1)
    """The limit is this quantile of the cosine between each natural row and the natural row nearest to it."""


class EchoFilter(Section):
    """Drops texts that repeat the prompt or give their label away."""

    ngram: int = Field(default=5, ge=2)
    """A run of this many words of the prompt template is an echo."""
    label_words: bool = True
    """Drop texts with a label set apart as an annotation: `positive: …`, `… (negative)`, `#neutral`."""


class ExactDuplicatesFilter(Section):
    """Keeps the first of the rows whose normalised text is equal."""


class OverlapFilter(Section):
    """Drops rows that stand in validation, test, the demonstrations or, word for word, anywhere else in train."""

    ngram: int = Field(default=8, ge=2)
    """A shared run of this many words counts as overlap too."""
    encoder: Encoder | None = None
    """Compare embeddings with validation and test rows too; left out: words only."""
    natural_quantile: float = Field(default=0.99, ge=0, le=1)
    """The limit is this quantile of the cosine between each training row and the evaluation row nearest to it."""


class PersonalDataFilter(Section):
    """Drops texts with an e-mail address, a telephone number or a handle."""

    regions: list[str] = ["US", "GB", "IN"]
    """ISO 3166 codes of the countries whose national telephone numbers count."""


class TeacherFilter(Section):
    """A classifier trained on natural rows, the replicate's own unless said otherwise, must agree with the label."""

    teacher: Encoder
    """Encoder; frozen, with a logistic regression on its mean-pooled features."""
    labels: Literal["sample", "oracle"] = "sample"
    """sample: it learns from the replicate's own rows; oracle: from all natural training rows, as earlier work did. A
    study with an oracle is a comparison, not a claim about few labels, and says so wherever it is shown.
    """
    min_confidence: float = Field(default=0.6, ge=0, le=1)
    """Calibrated probability the teacher must give the row's label."""


class PerplexityFilter(Section):
    """Drops texts a language model finds more predictable, or more surprising, than natural rows."""

    scorer: Scorer
    """The language model."""
    lower_quantile: float = Field(default=0.01, ge=0, lt=1)
    """Quantile of the natural rows' perplexities below which a text is too predictable."""
    upper_quantile: float = Field(default=0.99, gt=0, le=1)
    """Quantile of the natural rows' perplexities above which a text is too surprising."""


class CodeMixingFilter(Section):
    """Drops texts mixed less, or more, than natural rows are."""

    lower_quantile: float = Field(default=0.01, ge=0, lt=1)
    """Quantile of the natural rows' CMI and I-index below which a text is mixed too little."""
    upper_quantile: float = Field(default=0.99, gt=0, le=1)
    """Quantile of the natural rows' CMI and I-index above which a text is mixed too much."""
    max_unknown: float = Field(default=0.5, ge=0, le=1)
    """Share of a text's words the tagger may not know; beyond it the measures say nothing and the text stays."""


class ConfidentLearningFilter(Section):
    """Drops likely label errors by confident learning (cleanlab, extra `cleanlab`)."""

    encoder: Encoder
    """On whose features label probabilities are cross-validated."""
    folds: int = Field(default=5, ge=2)
    """Folds of the cross-validation."""


class DiversityFilter(Section):
    """Selects a target number of rows that cover what there is, the same number for every label."""

    encoder: Encoder
    """Where the embeddings come from."""
    size: int = Field(ge=1)
    """Rows to keep, over all labels."""
    method: Literal["k_means", "farthest_first"] = "k_means"
    """k_means: rows of every cluster in turn; farthest_first: always the row farthest from those chosen (small
    corpora).
    """


class Filter(Section):
    """The filter stage: one key a filter."""

    length: LengthFilter | None = None
    """Length in words."""
    language: LanguageFilter | None = None
    """Script and language."""
    echo: EchoFilter | None = None
    """The prompt or the label in the text."""
    refusals: RefusalsFilter | None = None
    """Refusals and boilerplate."""
    personal_data: PersonalDataFilter | None = None
    """E-mail addresses, telephone numbers, handles."""
    conflicting_labels: ConflictingLabelsFilter | None = None
    """The same text with two labels."""
    exact_duplicates: ExactDuplicatesFilter | None = None
    """Equal normalised texts."""
    near_duplicates: NearDuplicatesFilter | None = None
    """Texts that differ by little."""
    semantic_duplicates: SemanticDuplicatesFilter | None = None
    """Texts that say the same."""
    overlap: OverlapFilter | None = None
    """Leaks from evaluation data and demonstrations."""
    code_mixing: CodeMixingFilter | None = None
    """How languages are mixed."""
    teacher: TeacherFilter | None = None
    """Teacher agreement and confidence."""
    perplexity: PerplexityFilter | None = None
    """Likelihood under a language model."""
    confident_learning: ConfidentLearningFilter | None = None
    """Likely label errors."""
    diversity: DiversityFilter | None = None
    """Selection to a target size."""
    order: list[str] = []
    """The filters used, in the order they run; left out: the order of the keys."""

    @model_validator(mode="before")
    @classmethod
    def _order_of_keys(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        used = [key for key, value in content.items() if key != "order" and value is not None]
        order = content.get("order") or used
        if set(used) <= set(cls.model_fields) and sorted(order) != sorted(used):  # an unknown key has its own message
            raise ValueError(f"order: {order} does not name each of the used filters {used} once")
        return {**content, "order": order}
