"""One publish and one load, end to end: the flow everything else stands on."""

from sentisynth_hub.localhub.control import HubState


def test_push_tag_and_load_a_dataset(local_hub: HubState) -> None:
    from datasets import ClassLabel, Dataset, Features, Value, load_dataset
    from huggingface_hub import HfApi

    features = Features({"text": Value("string"), "label": ClassLabel(names=["negative", "positive"])})
    rows = Dataset.from_dict({"text": ["பிடிக்கலை", "romba nalla irukku 😀"], "label": [0, 1]}, features=features)
    rows.push_to_hub("first-flow/dataset", private=True)
    HfApi().create_tag("first-flow/dataset", tag="v1.0.0", repo_type="dataset")
    rows.select([0]).push_to_hub("first-flow/dataset")
    loaded = load_dataset("first-flow/dataset", revision="v1.0.0", split="train")
    assert loaded["text"] == ["பிடிக்கலை", "romba nalla irukku 😀"]
    assert loaded.features["label"].names == ["negative", "positive"]
