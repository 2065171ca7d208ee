"""The reference pages are what the code says today."""

import subprocess
import sys
from pathlib import Path


MAKER = Path(__file__).resolve().parents[3] / "docs" / "reference" / "make.py"


def test_the_pages_agree_with_the_code() -> None:
    # In a process of its own: click remembers how help was asked for first.
    done = subprocess.run([sys.executable, str(MAKER), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
