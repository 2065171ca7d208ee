"""The trials of a run folder, each one file under the digest of what decides it: `runs/<recipe>/trials/<digest>.json`.

One store serves every study of the recipe: another variant, margin or scale trains what is not there yet, and nothing
twice.
"""

from pathlib import Path

from pydantic import ValidationError

from sentisynth_hub.core.errors import StageError
from sentisynth_hub.core.files import write_json
from sentisynth_hub.core.run_folder import StageFolder
from sentisynth_hub.study.trial import Outcome


class TrialStore:
    """Reads and writes outcomes.

    Args:
        folder: Where the files are; made when the first is written.
    """

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def of(cls, stage: StageFolder) -> "TrialStore":
        """The store of the run that the stage folder belongs to."""
        return cls(stage.path.parent.parent / "trials")

    def path(self, digest: str) -> Path:
        """The file of the trial with this digest."""
        return self.folder / f"{digest[:32]}.json"

    def has(self, digest: str) -> bool:
        """Whether the trial is trained."""
        return self.path(digest).exists()

    def read(self, digest: str) -> Outcome:
        """The outcome of a trial.

        Raises:
            StageError: It is not there, or the file is no outcome.
        """
        path = self.path(digest)
        if not path.exists():
            raise StageError(f"study: {path} is missing though its process is done; run the study again")
        try:
            return Outcome.model_validate_json(path.read_text("utf-8"))
        except (ValidationError, UnicodeDecodeError) as error:
            raise StageError(f"{path}: no outcome of a trial; remove the file and run the study again") from error

    def write(self, digest: str, outcome: Outcome) -> None:
        """Keep an outcome, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.path(digest), outcome.model_dump(mode="json"))
