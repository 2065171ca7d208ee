"""Small encoders of random weights over word tokenizers: real ones to every library, and learnt in seconds."""

from pathlib import Path
from typing import Any


SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def save_encoder(
    folder: Path, tokenizer: Any, *, seed: int, hidden: int, layers: int, positions: int, cut: int | None = None
) -> Path:
    """Save a random BERT without a classification layer.

    Args:
        tokenizer: A `tokenizers.Tokenizer` whose first four entries are `SPECIAL`.
        cut: Length the tokenizer says it cuts to.
    """
    import torch
    from tokenizers import processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), SPECIAL, strict=True))
    length = {} if cut is None else {"model_max_length": cut}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names, **length)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(fast),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=2 * hidden,
        max_position_embeddings=positions,
    )
    BertModel(config).save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder
