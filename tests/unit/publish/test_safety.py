"""The last look before anything is published."""

import json
import random
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
import yaml

from sentisynth_hub.core.errors import DataError, PublishError, RecipeError
from sentisynth_hub.core.rows import Rejected, Row
from sentisynth_hub.core.text import normalised
from sentisynth_hub.filter import personal_data
from sentisynth_hub.filter.personal_data import PersonalData
from sentisynth_hub.metrics.words import words
from sentisynth_hub.natural.splits import NaturalData
from sentisynth_hub.publish.checks.licences import clash, gather_licences
from sentisynth_hub.publish.checks.non_inferiority import check_budget, non_inferiority
from sentisynth_hub.publish.checks.safety import (
    NaturalTexts,
    check_files,
    check_funnel,
    check_model_files,
    check_rows,
    check_tables,
    hidden_texts,
)
from sentisynth_hub.publish.checks.secret_scan import find_secret, texts_with_secrets
from sentisynth_hub.publish.dataset_tables import dataset_tables
from sentisynth_hub.publish.release import DatasetRelease, last_part, publishable_recipe
from sentisynth_hub.recipe.revisions import Pin
from tests.support.releases import LABELS, NATURAL_TEST, TEXTS, natural_data, recipe_in, release, synthetic


NATURAL = NaturalTexts(natural_data())


@pytest.mark.parametrize("text", [NATURAL_TEST, NATURAL_TEST.upper() + "!!", "the natural film was bad and long"])
def test_a_kept_copy_of_a_natural_row_stops_publishing(tmp_path: Path, text: str) -> None:
    with pytest.raises(PublishError, match=r"leakage gate: 1 kept rows are natural rows, e.g. request-0"):
        check_rows(release(tmp_path, kept=synthetic([text, *TEXTS])), NATURAL)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no row was kept"),
        ([Row("", "positive", request_id="r7")], "row r7: its text is empty"),
        ([Row(" \u2003", "positive", request_id="r7")], "row r7: its text is empty"),
        ([Row("fine", "neutral", request_id="r7")], "row r7: label 'neutral' is not one of"),
        ([Row("fine", None, request_id="r7")], "row r7: label 'None' is not one of"),
    ],
)
def test_rows_that_cannot_be_published_are_named(tmp_path: Path, rows: list[Row], message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_rows(release(tmp_path, kept=rows, rejected=[]), NATURAL)


@pytest.mark.parametrize("label", ["a\nb", "\u202eevil", "\u200b"])
def test_a_label_that_cannot_be_seen_is_refused(tmp_path: Path, label: str) -> None:
    recipe = recipe_in(tmp_path / "other", labels=["negative", label])
    with pytest.raises(DataError, match="rename it"):
        check_rows(release(tmp_path, kept=[Row("x", "negative")], recipe=recipe), NATURAL)


def allowed(given: DatasetRelease) -> bool:
    return given.recipe.publish.allow_invented_keys


def test_a_funnel_that_disagrees_with_the_rows_is_refused(tmp_path: Path) -> None:
    given = release(tmp_path)
    check_funnel(given)
    with pytest.raises(DataError, match="the funnel says"):
        check_funnel(replace(given, funnel=[{"filter": "length", "reason": "too_short", "rejected": 3}]))
    with pytest.raises(DataError, match="1 rows have no lineage, e.g. request-0"):
        check_funnel(replace(given, lineage=given.lineage[1:]))


def test_texts_hide_where_they_could_leak(tmp_path: Path) -> None:
    texts = {
        "parse": ("{broken", True),
        "echo": ("Review: x", True),
        "overlap": ("anything", True),
        "personal_data": ("anything", True),
        "length": ("so " + NATURAL_TEST + " indeed", True),  # an early filter dropped it before overlap could look
        "teacher": ("Text: the natural film was bad and long. Label: negative", True),
        "exact_duplicates": ("write to me@example.com", True),
        "near_duplicates": ("an honest bad sentence", False),
    }
    rejected = [Rejected(Row(text, "positive"), name, "reason") for name, (text, _) in texts.items()]
    found = hidden_texts(release(tmp_path, rejected=rejected), NATURAL)
    assert dict(zip(texts, found, strict=True)) == {name: hide for name, (_, hide) in texts.items()}


def test_a_secret_of_the_environment_is_never_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "canary-3f9b2c71")
    with pytest.raises(PublishError, match="recipe.yaml: would publish the value of MY_API_KEY") as caught:
        check_files({"recipe.yaml": "key: canary-3f9b2c71"}, NATURAL)
    assert "canary-3f9b2c71" not in str(caught.value)
    check_files({"recipe.yaml": "key: canary-3f9b2c7"}, NATURAL)


SECRETS = {
    "Hugging Face": "hf_" + "a1B2" * 8,
    "embedded Hub": "hub_" + "0f" * 20,
    "OpenAI": "sk-" + "x9" * 12,
    "Anthropic": "sk-ant-api03-" + "x9_" * 12,
    "Groq": "gsk_" + "Ab1" * 14,
    "Google": "AIza" + "Sy-" * 11 + "xY",
    "GitHub": "ghp_" + "Z" * 36,
    "GitHub fine-grained": "github_pat_" + "11A" * 20,
    "AWS": "AKIA" + "IOSFODNN7EXAMPLE",
    "Slack": "xoxb-" + "123456789012-" + "abcdefABCDEF",
    "GitLab": "glpat-" + "abcDEF12345_-abcDEF1",
    "npm": "npm_" + "aB3" * 12,
    "PyPI": "pypi-" + "AgEIcHlwaS5vcmc" + "x" * 72,
    "Stripe": "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "SendGrid": "SG." + "a" * 22 + "." + "b" * 43,
    "Telegram": "110201543:" + "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw4",
    "JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4",
    "PEM": "-----BEGIN " + "RSA PRIVATE KEY-----",
    "OpenSSH": "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
    "encrypted PEM": "-----BEGIN " + "ENCRYPTED PRIVATE KEY-----",
    "password": "https://me:pass-word@example.org/v1",
    "database": "postgres://admin:s3cretword@db.example:5432/x",
}
HARMLESS = [
    "a risk-averse-and-rather-long-hyphenated-heroine carries the film",
    "APATHETICALLY DIRECTED, APPARENTLY BY NOBODY",
    "see https://example.org/reviews/2024/06/30/a-film:part-2 and write 10/10",
    "sha256:" + "0f" * 32,
    "നല്ല സിനിമ @ 5:30, വളരെ നന്നായിരുന്നു 😀",
    "nooooooooooooooooooooooooo",
    "https://user@example.org is one person",
    "the password: it is never told",
]


@pytest.mark.parametrize("kind", SECRETS)
def test_what_looks_like_a_secret_is_never_published_wherever_it_stands(tmp_path: Path, kind: str) -> None:
    secret = SECRETS[kind]
    long = "word " * 1500 + secret + " word" * 1500  # across the windows that are looked at together
    for text in (secret, f"use {secret}, please", long):
        with pytest.raises(PublishError, match="prompt.jinja2: holds something that looks like a secret"):
            check_files({"prompt.jinja2": text}, None)
        with pytest.raises(PublishError, match="notes.json: holds something that looks like a secret"):
            check_model_files({"notes.json": json.dumps({"token": text}).encode()})
    rows = synthetic([f"the key is {secret}", *TEXTS])
    given = release(tmp_path, kept=rows)
    with pytest.raises(PublishError, match=r"config default, column text: .* looks like a secret"):
        check_tables(dataset_tables(given, hidden_texts(given, NATURAL), "key"), allow_invented_keys=allowed(given))
    lineage = [{**line, "attributes": {"topic": secret}} for line in given.lineage]
    given = replace(release(tmp_path), lineage=lineage[1:])
    with pytest.raises(PublishError, match="config lineage, column attributes"):
        check_tables(dataset_tables(given, hidden_texts(given, NATURAL), "key"), allow_invented_keys=allowed(given))


@pytest.mark.parametrize("text", HARMLESS)
def test_ordinary_texts_and_digests_are_no_secrets(text: str) -> None:
    check_files({"prompt.jinja2": text}, None)


def test_a_secret_that_a_model_made_up_is_published_only_on_request_and_never_in_a_file(tmp_path: Path) -> None:
    publish = {"dataset": "acme/tiny", "licence": "mit", "allow_invented_keys": True}
    given = release(
        tmp_path, kept=synthetic([SECRETS["AWS"], *TEXTS]), recipe=recipe_in(tmp_path / "allowed", publish=publish)
    )
    check_tables(dataset_tables(given, hidden_texts(given, NATURAL), "key"), allow_invented_keys=allowed(given))
    lineage = [{**line, "sampling": SECRETS["AWS"]} for line in given.lineage]
    given = replace(given, lineage=lineage)
    with pytest.raises(PublishError, match="config lineage, column sampling"):
        check_tables(dataset_tables(given, hidden_texts(given, NATURAL), "key"), allow_invented_keys=allowed(given))


def test_a_rejected_row_with_a_secret_hides_its_text(tmp_path: Path) -> None:
    rejected = [
        Rejected(Row(f"use {SECRETS['GitHub']} now", "positive", request_id="rejected-0"), "length", "too_long"),
        Rejected(Row("an honest bad sentence", "positive", request_id="rejected-1"), "length", "too_long"),
    ]
    assert hidden_texts(release(tmp_path, rejected=rejected), NATURAL) == [True, False]


def test_a_secret_variable_is_found_in_every_column_and_every_model_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_SERVICE_TOKEN", "canary-3f9b2c71")
    given = release(tmp_path)
    for column in ("prompt_id", "model", "system_fingerprint", "sampling", "demonstration_ids"):
        value = ["x", "canary-3f9b2c71"] if column == "demonstration_ids" else "see canary-3f9b2c71"
        lines = [{**line, column: value} for line in given.lineage]
        tables = dataset_tables(replace(given, lineage=lines), hidden_texts(given, NATURAL), "key")
        with pytest.raises(PublishError, match=f"column {column}: would publish the value of SOME_SERVICE_TOKEN"):
            check_tables(tables, allow_invented_keys=allowed(given))
    (tmp_path / "weights.safetensors").write_bytes(b"\xff" * 2_000_000 + b"canary-3f9b2c71")
    with pytest.raises(PublishError, match="weights.safetensors: would publish the value of SOME_SERVICE_TOKEN"):
        check_model_files({"weights.safetensors": tmp_path / "weights.safetensors"})


def test_a_path_under_the_home_folder_is_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/some-one")
    with pytest.raises(PublishError, match="prompt.jinja2: holds a path under your home folder") as caught:
        check_files({"prompt.jinja2": "as in /home/some-one/clients/acme.txt"}, None)
    assert "some-one" not in str(caught.value)


def test_a_natural_row_in_the_prompt_is_found() -> None:
    with pytest.raises(PublishError, match="prompt.jinja2: line 2 is a natural row"):
        check_files({"prompt.jinja2": f"Examples:\n{NATURAL_TEST}\n"}, NATURAL)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("write to a.b+c@mail.example.org please", "email"),
        ("ask @some_one about it", "handle"),
        ("call +1 650-253-0000 now", "phone"),
        ("call (650) 253-0000 now", "phone"),
        ("whatsapp +91 98765 43210", "phone"),
        ("it took 2 hours and 30 minutes", None),
        ("ten @ the door, 5 @ home", None),
        ("5 @ 3", None),
        ("in 1999-2001 it made 12,000,000 dollars", None),
        ("rated 8.5/10 by 1234567 people", None),
        ("പടം കൊള്ളാം 😀", None),
    ],
)
def test_personal_data(text: str, found: str | None) -> None:
    assert PersonalData().find(text) == found
    decision = PersonalData().judge([Row(text, None)])[0]
    assert (decision.keep, decision.reason) == (found is None, found)


def test_kept_rows_with_personal_data_stop_publishing_unless_allowed(tmp_path: Path) -> None:
    kept = synthetic(["write to me@example.com", *TEXTS])
    with pytest.raises(
        PublishError, match=r"1 kept rows hold some, e.g. request-0 \(email\); add `personal_data: \{\}`"
    ):
        check_rows(release(tmp_path, kept=kept), NATURAL)
    publish = {"dataset": "acme/tiny", "licence": "mit", "allow_personal_data": True}
    check_rows(release(tmp_path, kept=kept, recipe=recipe_in(tmp_path / "allowed", publish=publish)), NATURAL)


@pytest.mark.parametrize(
    ("licence", "chosen", "problem"),
    [
        ("mit", "cc-by-4.0", None),
        ("Apache-2.0", "apache-2.0", None),
        ("cc-by-sa-4.0", "cc-by-sa-4.0", None),
        ("cc-by-nc-4.0", "cc-by-nc-4.0", None),
        ("mit, apache-2.0", "mit", None),
        (None, "mit", "states no licence"),
        ("", "mit", "states no licence"),
        ("other", "mit", "not known here"),
        ("llama3.1", "mit", "not known here"),
        ("mit, other", "mit", "not known here"),
        ("cc-by-sa-4.0", "mit", "asks for the same licence"),
        ("gpl-3.0", "apache-2.0", "asks for the same licence"),
        ("cc-by-nc-4.0", "mit", "forbids commercial use"),
        ("cc-by-nc-sa-4.0", "cc-by-nc-4.0", "asks for the same licence"),
        ("cc-by-nd-4.0", "mit", "allows no derived work"),
    ],
)
def test_licences_that_clash(licence: str | None, chosen: str, problem: str | None) -> None:
    found = clash(licence, chosen)
    assert (found is None) if problem is None else (found is not None and problem in found)


def test_an_unknown_licence_stops_with_a_choice_and_a_reason_lets_it_pass(tmp_path: Path) -> None:
    pins = {"natural": Pin("natural/reviews", "dataset", None, "1" * 40, None)}
    with pytest.raises(RecipeError, match=r"dataset natural/reviews states no licence.*publish.licence_reasons"):
        gather_licences(recipe_in(tmp_path / "a"), pins)
    publish = {"dataset": "a/b", "licence": "mit", "licence_reasons": {"natural/reviews": "asked the authors"}}
    found = gather_licences(recipe_in(tmp_path / "b", publish=publish), pins)
    assert found["sources"][0]["reason"] == "asked the authors"
    with pytest.raises(RecipeError, match=r"publish.licence: missing; choose"):
        gather_licences(recipe_in(tmp_path / "c", publish={"dataset": "a/b"}), pins)


def test_an_endpoints_terms_need_a_persons_word(tmp_path: Path) -> None:
    generate = {"generator": {"kind": "openai", "model": "big-model"}, "candidates": 2}
    with pytest.raises(RecipeError, match="model big-model states no licence"):
        gather_licences(recipe_in(tmp_path, generate=generate), {})


def test_the_published_recipe_names_no_endpoint_and_no_path(tmp_path: Path) -> None:
    home = tmp_path / "some" / "where"
    recipe = recipe_in(
        tmp_path,
        generate={
            "generator": {"kind": "openai", "model": "big", "base_url": "http://inner.example:8000/v1"},
            "candidates": 2,
        },
        natural={"files": {"train": str(home / "train.csv")}},
        study={"student": {"model": str(home / "encoder")}, "zero_shot": {"file": "client-x/english.csv"}},
    )
    text = publishable_recipe(recipe)
    assert "client-x" not in text
    assert "file: english.csv" in text
    assert "inner.example" not in text
    assert str(home) not in text
    assert "train: train.csv" in text
    (tmp_path / "again").mkdir()
    again = recipe_in(tmp_path / "again")
    assert publishable_recipe(again) == publishable_recipe(recipe_in(tmp_path / "again"))


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/home/me/clients/acme/enc", "enc"),
        ("~/clients/acme/enc", "enc"),
        ("~me/clients/acme/enc/", "enc"),
        ("../../clients/acme/enc", "enc"),
        ("./clients/acme/enc", "enc"),
        ("clients/acme/private/enc", "enc"),
        ("C:\\Users\\acme me\\enc", "enc"),
        ("..\\acme\\enc", "enc"),
        ("\\\\server\\acme\\enc", "enc"),
        ("file:///srv/acme/enc", "enc"),
        ("/srv/acme files/enc", "enc"),
        ("hub-owner/encoder", "hub-owner/encoder"),
        ("Hub_Owner/some.encoder-v2", "Hub_Owner/some.encoder-v2"),
    ],
)
def test_of_a_path_only_the_last_part_is_published(tmp_path: Path, path: str, kept: str) -> None:
    recipe = recipe_in(
        tmp_path,
        study={"student": {"model": path}},
        natural={"files": {"train": path, "test": path}},
        publish={"dataset": "acme-org/tiny", "licence": "mit", "licence_reasons": {"x": f"see {path} for why"}},
        description=f"Made from {path}, as agreed",
    )
    content = yaml.safe_load(publishable_recipe(recipe))
    assert content["study"]["student"]["model"] == kept
    assert content["natural"]["files"]["train"] == last_part(path)
    assert content["publish"]["dataset"] == "acme-org/tiny"
    if (
        kept == "enc" and " " not in path and path != "clients/acme/private/enc"
    ):  # in a sentence: what starts as a path
        assert "acme" not in content["description"] + content["publish"]["licence_reasons"]["x"]


def test_a_folder_here_that_is_called_like_a_repo_keeps_its_last_part_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "clients" / "enc").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    recipe = recipe_in(tmp_path / "recipe", study={"student": {"model": "clients/enc"}})
    assert "clients" not in publishable_recipe(recipe)


@pytest.mark.parametrize("text", ["good/bad", "8/10", "and/or", "see https://example.org/a/b/c", "1/2/2026", "n/a"])
def test_what_is_no_path_stays_as_it_is(tmp_path: Path, text: str) -> None:
    recipe = recipe_in(tmp_path, description=text, labels=["negative", text])
    content = yaml.safe_load(publishable_recipe(recipe))
    assert (content["description"], content["labels"][1]) == (text, text)


def test_a_served_models_name_is_no_path(tmp_path: Path) -> None:
    generator = {"kind": "openai", "model": "accounts/some-provider/models/big"}
    recipe = recipe_in(tmp_path, generate={"generator": generator, "candidates": 2})
    assert yaml.safe_load(publishable_recipe(recipe))["generate"]["generator"]["model"] == generator["model"]


def test_an_overspent_budget_stops(tmp_path: Path) -> None:
    generator = {"kind": "transformers", "model": "models/writer"}
    for limit, stops in ((0.001, True), (1.0, False)):
        generate = {"generator": generator, "candidates": 6, "budget": {"max_usd": limit}}
        given = release(tmp_path, recipe=recipe_in(tmp_path / str(limit), generate=generate))
        if stops:
            with pytest.raises(PublishError, match=r"budget gate: the rows cost \$0.0070"):
                check_budget(given)
        else:
            check_budget(given)


def compared(truth: list[str], new: list[str], old: list[str]) -> tuple[float, float, float]:
    found = non_inferiority(truth, new, old, LABELS, "accuracy", 0.05, 0)
    return found.new, found.old, found.lower


def test_equal_models_are_not_inferior_and_a_worse_one_is() -> None:
    truth = LABELS * 100
    wrong = [LABELS[1 - LABELS.index(label)] for label in truth]
    assert compared(truth, truth, truth) == (1.0, 1.0, 0.0)
    new, old, lower = compared(truth, truth[:180] + wrong[180:], truth)
    assert (new, old) == (0.9, 1.0)
    assert -0.15 < lower < -0.1


def test_the_lower_bound_agrees_with_the_normal_one_on_paired_differences() -> None:
    truth = LABELS * 200
    new = [label if i % 10 else LABELS[1 - LABELS.index(label)] for i, label in enumerate(truth)]
    old = [label if i % 8 else LABELS[1 - LABELS.index(label)] for i, label in enumerate(truth)]
    differences = [(n == t) - (o == t) for n, o, t in zip(new, old, truth, strict=True)]
    mean = sum(differences) / len(truth)
    error = (sum((d - mean) ** 2 for d in differences) / len(truth) / len(truth)) ** 0.5
    assert compared(truth, new, old)[2] == pytest.approx(mean - 1.645 * error, abs=0.006)


def test_too_small_to_tell_is_not_a_pass() -> None:
    truth = LABELS * 4
    new = ["negative", *truth[1:-1], "negative"]
    found = non_inferiority(truth, new, truth[::-1][::-1], LABELS, "macro_f1", 0.05, 0)
    assert found.new < found.old
    assert not found.passes(0.05)


def test_a_glance_at_an_array_finds_what_a_look_at_each_text_finds() -> None:
    """Secrets and personal data: Arrow's expressions choose what is looked at, and must let nothing go by."""
    digits = "".join(chr(code) for code in range(sys.maxunicode) if chr(code).isdecimal())
    numbers = [f"call +1 202 555 01{n:02} now" for n in range(30)]
    numbers += ["call me: ٠١٢٣٤٥٦٧٨٩ or +९१ ९८७६५ ४३२१०", "ring +1\n(202)\u2028555-0123", digits]
    secrets = ["hf_" + "a" * 30, "x" * 5000 + " ghp_" + "a" * 36, "AKIA" + "Q" * 16, "xoxb-123456-abcdefg1"]
    plain = ["", "a film", "നല്ല പടം, 10/10", "f" * 64, "a@b", "mail me: someone@example.org", "😀 @name", "a" * 20]
    texts = [*numbers, *secrets, *plain]
    personal = PersonalData()
    assert personal.find_in(pa.array(texts)) == {
        place: kind for place, text in enumerate(texts) if (kind := personal.find(text)) is not None
    }
    assert all(PersonalData(()).find(text) is None for text in numbers)  # it is the numbers that are found
    for digit in digits:
        assert pc.match_substring_regex(pa.array([digit * 7]), personal_data._MAYBE)[0].as_py(), digit
    assert texts_with_secrets(pa.array([*texts, None])) == {
        place: kind for place, text in enumerate(texts) if (kind := find_secret(text)) is not None
    }
    assert len(texts_with_secrets(pa.array(secrets))) == 4


def test_natural_words_are_found_wherever_they_stand() -> None:
    """Against the definition, spelled out: any natural run of eight words, or a short row inside."""
    draw = random.Random(1)
    made = [" ".join(draw.choices("ab", k=draw.randint(1, 12))) for _ in range(60)]
    rows = [Row(text, "x", request_id=str(number)) for number, text in enumerate(made[:20])]
    natural = NaturalTexts(NaturalData(rows[:7], rows[7:14], rows[14:], {}))
    index = natural.overlap
    found = 0
    for text in made[20:]:
        unit = words(text)
        runs = [tuple(unit[place : place + size]) for size in range(4, 9) for place in range(len(unit) - size + 1)]
        short = any(run in natural.short.get(len(run), set()) for run in runs)
        expected = normalised(text) in index.exact or any(run in index.runs for run in runs if len(run) == 8) or short
        assert (natural.found_in(text) is not None) == expected, text
        found += expected
    assert 0 < found < 40
