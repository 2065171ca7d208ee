"""The numbered checks of a study: one table, from which come the notes of every summary, card and report, `sentisynth
check`, and docs/reference/checks.md.

    for finding in findings(StudyFacts(evaluation)):
        finding.code, finding.message

1xx: the design and its rows. 2xx: the filter. 3xx: the result. 4xx: the model that ships. A number is never given to
another check.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sentisynth_hub.verdict.evaluation import LEAST_REPLICATES
from sentisynth_hub.verdict.study_checks import (
    StudyFacts,
    changed_answers,
    clusters,
    constant_model,
    contradiction,
    failed_control,
    few_replicates,
    identical_replicates,
    looks,
    low_power,
    missing_answers,
    missing_variant,
    nearly_uniform_model,
    of_model,
    of_study,
    oracle_teacher,
    oracle_validation,
    rare_label,
    shared_rows,
    teacher_without_skill,
    worse_than_natural,
)


@dataclass(frozen=True)
class StudyCheck:
    """One check: what it means where it fires, and the way out."""

    code: str
    name: str
    meaning: str
    way_out: str
    messages: Callable[[StudyFacts], Iterator[str]]


@dataclass(frozen=True)
class Finding:
    """A check that fired."""

    code: str
    name: str
    message: str

    @property
    def line(self) -> str:
        """For people."""
        return f"{self.code}: {self.message}"


def findings(facts: StudyFacts) -> list[Finding]:
    """Every check that fires, in the order of the table."""
    return [Finding(check.code, check.name, message) for check in CHECKS for message in check.messages(facts)]


CHECKS = (
    StudyCheck(
        "SH101",
        "oracle teacher",
        "The filters' teacher learned from labels that nobody with this budget has. What it keeps is better than a "
        "user's own teacher would keep.",
        "Leave `filter.teacher.labels: oracle` out for a claim; keep it to see what a better teacher could do.",
        of_study(oracle_teacher),
    ),
    StudyCheck(
        "SH102",
        "oracle validation",
        "More labels chose penalties and steps than any model learned from, so the scores are better than a user with "
        "this training budget would see.",
        "Use `natural.validation: cross_validated`, where all labels train, or lower `natural.validation_per_label`.",
        of_study(oracle_validation),
    ),
    StudyCheck(
        "SH103",
        "clusters in the test rows",
        "Near-duplicates, or texts of one author or thread, are right or wrong together and tell little more than one "
        "row. The intervals count each group once; a study elsewhere that does not is too sure.",
        "Nothing has to be done. More independent test rows make the intervals narrower; more copies do not.",
        of_study(clusters),
    ),
    StudyCheck(
        "SH104",
        "shared rows of replicates",
        "The pool of natural rows is not much larger than the samples drawn from it, so that replicates are partly "
        "the same study. Up to half of their rows the interval allows for it; beyond, the verdict is about this pool.",
        "Bring more natural rows, lower `natural.rows_per_label`, or cross-fit.",
        of_study(shared_rows),
    ),
    StudyCheck(
        "SH105",
        "test rows looked at before",
        "Whoever looks again until the answer pleases finds effects that are not there: with five looks at 5 % it is "
        "13 to 20 % false verdicts.",
        "Let the study look again by design (`study.looks`), or take test rows that nobody has looked at.",
        of_study(looks),
    ),
    StudyCheck(
        "SH106",
        "rare label",
        "Macro-F1 gives every label the same weight, and one with a handful of test rows moves it by whole points.",
        "Bring test rows of the label, merge it with another, or judge by `study.metric: accuracy`.",
        of_study(rare_label),
    ),
    StudyCheck(
        "SH107",
        "too few replicates",
        "The spread over replicates cannot be told from so few.",
        f"Set `study.replicates` to {LEAST_REPLICATES} or more; `sentisynth plan` says how many.",
        of_study(few_replicates),
    ),
    StudyCheck(
        "SH108",
        "variant not run",
        "Without the primary variant there is no verdict; without its control a gain may be just more training steps.",
        "Name the variant in `study.variants` and run the study again; what is trained already stays.",
        missing_variant,
    ),
    StudyCheck(
        "SH109",
        "identical replicates",
        "A head on one natural sample and one corpus has nothing that varies. The interval speaks of test rows alone.",
        "Nothing has to be done: they are trained once. For a claim about other rows, `study.design: nested`.",
        of_study(identical_replicates),
    ),
    StudyCheck(
        "SH201",
        "filter without skill",
        "A teacher that cannot tell the labels apart on human rows would drop right rows and keep wrong ones, so it "
        "drops none: what `mixed` shows is not what the recipe's confidence filter does.",
        "Give the teacher more labels or a better encoder (`filter.teacher.teacher.model`), or leave it out.",
        of_study(teacher_without_skill),
    ),
    StudyCheck(
        "SH301",
        "failed control",
        "`shuffled_labels` must not help and `extra_natural` must. Where a control reads otherwise, the study "
        "measures something else than its rows: steps, length, a leak, or chance.",
        "Look for texts in two splits (`sentisynth recipes check`) and at the funnel; do not publish a claim.",
        of_study(failed_control),
    ),
    StudyCheck(
        "SH302",
        "low power",
        "The study can see large gains only. Most true gains end as too small to tell; one that is found is found in "
        "part because chance made it larger.",
        "`sentisynth plan` says how many test rows and replicates would do. Read the interval, not the estimate.",
        of_study(low_power),
    ),
    StudyCheck(
        "SH303",
        "variant that contradicts the verdict",
        "Another way to use the same rows gains where the primary one does not: the rows may be good and their use is "
        "not. It is a secondary comparison, at the simultaneous level.",
        "Look at what the filter drops; make the other way one of `study.mixed_methods` and study new test rows.",
        of_study(contradiction),
    ),
    StudyCheck(
        "SH304",
        "missing answers",
        "A row without an answer counts as wrong. With many of them the score says how often the model answers, not "
        "what it knows.",
        "Look at the answers (`runs/…/labels`), give `generate.sampling.max_new_tokens` more room.",
        of_study(missing_answers),
    ),
    StudyCheck(
        "SH401",
        "shipped model worse than natural",
        "The variant that ships is chosen on rows that train, since test rows choose nothing. On the test rows it is "
        "worse than natural rows alone by more than the margin.",
        "Ship natural rows' model (leave the other variants out of `study.variants`), or more natural rows.",
        of_study(worse_than_natural),
    ),
    StudyCheck(
        "SH402",
        "model with one answer",
        "The model gives one label to every test row.",
        "More rows, more steps (`study.student.epochs`), or a look at the labels of the training rows.",
        of_model(constant_model),
    ),
    StudyCheck(
        "SH403",
        "nearly uniform model",
        "The model's labels may be right and its probabilities still say nothing.",
        "More rows or more steps; use its labels and not its probabilities.",
        of_model(nearly_uniform_model),
    ),
    StudyCheck(
        "SH404",
        "saved model answers otherwise",
        "Rounding on another device moves a row or two; more would mean that what ships is not what was judged.",
        "A row or two: nothing. More: report it, and run `sentisynth study` again on the device the model is for.",
        of_model(changed_answers),
    ),
)
"""All checks, by number."""
