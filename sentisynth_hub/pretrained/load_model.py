"""Loading models and tokenizers: the only place that does.

    tokenizer, encoder = load_pretrained("encoder", "org/encoder", revision="abc")

Weights come from safetensors only and code of a repo's own is never run. What a model cannot do (no trained head, no
weights for a part of it, no padding token, a chat template without the role) is found here, in one line, before
anything is computed with it.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sentisynth_hub.core import log
from sentisynth_hub.core.errors import InputError, RecipeError, StageError
from sentisynth_hub.core.hub_endpoint import refusal, unreachable


Kind = Literal["encoder", "causal_lm", "classifier", "student"]
"""encoder: hidden states, no head. causal_lm: writes text. classifier: with a trained classification head. student: to
be trained, so that its classification head may be new.
"""
_CLASS = {
    "encoder": "AutoModel",
    "causal_lm": "AutoModelForCausalLM",
    "classifier": "AutoModelForSequenceClassification",
    "student": "AutoModelForSequenceClassification",
}
_IS_NONE = {
    "encoder": "no encoder transformers can load",
    "causal_lm": "no causal language model",
    "classifier": "no text classifier",
    "student": "no model that transformers can put a classification head on",
}
_COUNT_FROM_PADDING = ("roberta", "camembert", "mpnet", "xmod", "longformer", "data2vec-text", "ibert", "esm")
"""Model types (or parts of them) that number positions from the padding token on."""
_UNLIMITED = 10**6  # what a tokenizer says that knows no limit is far above, what models read far below


def load_pretrained(
    kind: Kind,
    model: str,
    *,
    revision: str | None = None,
    key: str | None = None,
    dtype: str = "auto",
    labels: Sequence[str] | None = None,
) -> tuple[Any, Any]:
    """Load a model and its tokenizer from the Hub or from a folder, on the CPU, in evaluation mode.

    Args:
        key: Key path of the recipe that names the model; None: it stands on the command line.
        dtype: Number format of the weights, or `auto` for the one they are stored in.
        labels: Label names of a `student`.

    Returns:
        Tokenizer and model. The tokenizer has a padding token (the end token where it has none of its own), and its
        `model_max_length` is what the model can read.

    Raises:
        InputError: It is not there, is of another kind, has no safetensors weights, lacks trained weights, or needs
            code of its own (a RecipeError where a recipe names it).
        StageError: The Hub cannot be reached.
    """
    import torch
    import transformers

    options: dict[str, Any] = {}
    if labels is not None:
        names = dict(enumerate(labels))
        options = {"num_labels": len(labels), "id2label": names, "label2id": {name: i for i, name in names.items()}}
        options["ignore_mismatched_sizes"] = True
    os.environ.setdefault("DISABLE_SAFETENSORS_CONVERSION", "1")  # it would open pull requests in strangers' repos
    tokenizer = load_tokenizer(model, revision=revision, key=key)
    config = load_config(model, revision=revision, key=key)
    if kind == "classifier" and len(config.id2label) < 2:
        raise _problem(key, model, "has a single output, a score and no labels; name a classifier of two or more")
    with _quiet():
        try:
            loaded, report = getattr(transformers, _CLASS[kind]).from_pretrained(
                model,
                revision=revision,
                dtype=dtype if dtype == "auto" else getattr(torch, dtype),
                output_loading_info=True,
                trust_remote_code=False,
                use_safetensors=True,
                **options,
            )
        except Exception as error:
            raise _explained(error, model, revision, key, _IS_NONE[kind]) from None
    _check_weights(kind, model, key, loaded, report)
    if loaded.config.get_text_config().pad_token_id is None:
        loaded.config.get_text_config().pad_token_id = tokenizer.pad_token_id
        loaded.config.pad_token_id = tokenizer.pad_token_id
    tokenizer.model_max_length = readable_length(tokenizer, loaded.config)
    return tokenizer, loaded.eval()


def load_config(model: str, *, revision: str | None = None, key: str | None = None) -> Any:
    """The model's configuration; raises as `load_pretrained` does."""
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(model, revision=revision, trust_remote_code=False)
    except Exception as error:
        raise _explained(error, model, revision, key, "no model that transformers knows") from None


def load_tokenizer(model: str, *, revision: str | None = None, key: str | None = None) -> Any:
    """The model's tokenizer, with a padding token; raises as `load_pretrained` does."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model, revision=revision, trust_remote_code=False)
    except Exception as error:
        raise _explained(error, model, revision, key, "no model with a tokenizer") from None
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
        if tokenizer.pad_token is None:
            raise _problem(key, model, "its tokenizer has neither a padding nor an end token; add a pad_token to it")
    return tokenizer


def readable_length(tokenizer: Any, config: Any) -> int:
    """Tokens the model can read at once, by its tokenizer and its position embeddings, whichever is less.

    A model that knows no limit (relative positions) and a tokenizer that names none give a million.
    """
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    limits = [_UNLIMITED, int(min(tokenizer.model_max_length, _UNLIMITED))]
    positions = next(
        (
            int(value)
            for name in ("max_position_embeddings", "n_positions", "max_seq_len")
            if isinstance(value := getattr(text, name, None), int) and value > 0
        ),
        None,
    )
    if positions is not None:
        if any(name in text.model_type for name in _COUNT_FROM_PADDING):
            positions -= (text.pad_token_id or 0) + 1
        limits.append(positions)
    return min(limits)


def cut_length(tokenizer: Any, max_length: int) -> int:
    """Tokens a text is cut to: `max_length`, or what the model can read where that is less; says so once."""
    readable = int(tokenizer.model_max_length)
    if max_length > readable:
        log.warn_once(
            f"{tokenizer.name_or_path or 'the model'} reads {readable} tokens, so texts are cut there, not at "
            f"max_length {max_length}"
        )
    return min(max_length, readable)


def chat_text(tokenizer: Any, messages: Sequence[Mapping[str, str]], *, model: str, key: str) -> str:
    """A chat as the model reads it, up to where it answers.

    Raises:
        RecipeError: The tokenizer has no chat template, or its template refuses these messages; names the role.
    """
    if not tokenizer.chat_template:
        raise RecipeError(f"{key}: {model} has no chat template; use raw completion (chat: false)")

    def rendered(chat: Sequence[Mapping[str, str]]) -> str:
        return str(tokenizer.apply_chat_template(list(chat), tokenize=False, add_generation_prompt=True))

    try:
        return rendered(messages)
    except Exception as error:  # whatever the template raises: it is a program of the model's author
        why = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    for role in dict.fromkeys(message["role"] for message in messages if message["role"] != "user"):
        try:
            rendered([message for message in messages if message["role"] != role])
        except Exception:
            continue
        raise RecipeError(
            f"{key}: the chat template of {model} takes no message with the role {role!r} ({why}); put its content "
            "into the first user message"
        )
    roles = ", ".join(message["role"] for message in messages)
    raise RecipeError(
        f"{key}: the chat template of {model} does not take messages with the roles {roles} ({why}); begin with user, "
        "and let user and assistant take turns"
    )


def _check_weights(kind: Kind, model: str, key: str | None, loaded: Any, report: Mapping[str, Any]) -> None:
    """Stop where weights that matter are made up rather than trained.

    A pooler is not read by anything here but a classification head, and a student's head is trained anyway.
    """
    missing = {str(name) for name in report["missing_keys"]}
    if kind != "student":
        missing |= {str(name[0] if isinstance(name, tuple) else name) for name in report.get("mismatched_keys", ())}
    if kind in ("encoder", "student"):
        missing = {name for name in missing if "pooler" not in name}
    if kind == "student":
        missing = {name for name in missing if name.startswith(f"{loaded.base_model_prefix}.")}
    if not missing:
        return
    named = ", ".join(sorted(missing)[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    what = {
        "classifier": f"has no trained classification head (no weights for {named}): its answers would be "
        "random; name a model that was trained to classify, or train one with `sentisynth study`",
        "causal_lm": f"has no trained language-model head (no weights for {named}): it would write random "
        "words; name a causal language model",
    }
    raise _problem(key, model, what.get(kind, f"lacks trained weights ({named}); name a whole model"))


def _problem(key: str | None, model: str, what: str) -> InputError:
    return RecipeError(f"{key}: {model} {what}") if key else InputError(f"{model}: {what}")


def _explained(error: Exception, model: str, revision: str | None, key: str | None, is_none: str) -> Exception:
    """The error to raise in place of what `transformers` raised."""
    if isinstance(error, InputError | StageError):
        return error
    chain: BaseException | None = error
    while chain is not None:
        if (why := refusal(chain, "model", revision)) is not None:
            return _problem(key, model, why)
        if (why := unreachable(chain)) is not None:
            return StageError(f"{f'{key}: ' if key else ''}{model} cannot be loaded: {why}")
        chain = chain.__cause__ or chain.__context__
    reason = str(error)
    if "trust_remote_code" in reason or "custom code" in reason:
        return _problem(key, model, "needs code of its own, which is never run; name a model that transformers knows")
    if "safetensors" in reason and ("no file named" in reason or "does not appear to have a file" in reason):
        return _problem(
            key, model, "has no safetensors weights (pickled ones are never loaded); convert it, or name another model"
        )
    lines = reason.strip().split("\n")
    first = lines[0][:200] if lines[0] else type(error).__name__
    return _problem(key, model, f"could not be loaded: {is_none} ({log.printable(first)})")


class _quiet:
    """No progress bars of transformers inside."""

    def __enter__(self) -> None:
        from transformers.utils import logging

        self._bar = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()

    def __exit__(self, *error: object) -> None:
        from transformers.utils import logging

        if self._bar:
            logging.enable_progress_bar()
