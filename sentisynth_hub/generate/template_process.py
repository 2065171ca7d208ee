"""A template of a stranger renders in a process of its own, with limits on time, memory and length.

    with TemplateProcess(source) as template:
        template.render({"label": "positive"})

Jinja's sandbox keeps a template from reaching Python; nothing in it stops `{{ 'a' * 3000000000 }}` or endless loops.
The process gets the template and what it may see, no environment variable of ours, and is killed at a limit.
"""

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any


SECONDS = 10.0  # a rendering may take; a real one takes milliseconds
MEMORY = 1 << 30  # bytes of address space
CHARACTERS = 1_000_000  # of a rendered prompt, more than any model reads


class TemplateProcessError(Exception):
    """The template is wrong, or reached a limit; the message says which."""


class TemplateProcess:
    """A Jinja template in a child process; `render` as the template's own method, with strings, lists and
    dictionaries.
    """

    def __init__(self, source: str):
        """Start the process and compile the template.

        Raises:
            TemplateProcessError: It does not compile.
        """
        package = str(Path(__file__).resolve().parents[2])
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LANG") if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=kept | {"PYTHONPATH": package},
        )
        try:
            self._ask(source, 4 * SECONDS)  # starting Python takes its time on a busy machine
        except TemplateProcessError:
            self.close()
            raise

    def render(self, values: Mapping[str, Any]) -> str:
        """Render the template.

        Raises:
            TemplateProcessError: A name is not given, or a limit was reached; the process is gone then.
        """
        return self._ask(dict(values), SECONDS)

    def close(self) -> None:
        """End the process."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> "TemplateProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_process"):
            self.close()

    def _ask(self, content: Any, seconds: float) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(content).encode("ascii") + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise TemplateProcessError("its process ended at a limit") from None
        answer = _line(self._process.stdout, seconds)
        if answer is None:
            self.close()
            raise TemplateProcessError(
                f"it took more than {SECONDS:.0f} seconds, {MEMORY >> 30} GiB or {CHARACTERS:,} characters"
            )
        content = json.loads(answer)
        if "error" in content:
            raise TemplateProcessError(content["error"])
        return str(content["text"])


def _line(pipe: IO[bytes], seconds: float) -> bytes | None:
    """One line of the child's answer; None where it ended, took too long or wrote too much."""
    held, deadline = bytearray(), time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while not held.endswith(b"\n"):
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return None
            part = os.read(pipe.fileno(), 1 << 16)
            held += part
            if not part or len(held) > 16 * CHARACTERS:  # escaped, a character is up to twelve bytes
                return None
    return bytes(held)


def _serve() -> None:
    """Read the template from standard input, then values, one JSON a line; answer each with the text or an error."""
    from jinja2 import TemplateError, TemplateSyntaxError

    from sentisynth_hub.generate.template_environment import environment

    try:
        import resource
    except ImportError:  # Windows: the time limit is all there is
        pass
    else:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    def answer(**content: str) -> None:
        sys.stdout.write(json.dumps(content) + "\n")
        sys.stdout.flush()

    try:
        template = environment().from_string(json.loads(sys.stdin.readline()))
    except TemplateSyntaxError as error:
        answer(error=f"line {error.lineno}: {error.message}")
        return
    except (TemplateError, MemoryError, RecursionError, OverflowError) as error:
        answer(error=f"it cannot be compiled ({type(error).__name__})")
        return
    answer(text="")
    for line in sys.stdin:
        try:
            text = template.render(json.loads(line))
        except TemplateError as error:
            answer(error=error.message or type(error).__name__)
        except Exception as error:  # whatever a hostile template provokes: division by zero, memory, recursion
            answer(error=f"{type(error).__name__}: {str(error)[:200]}")
        else:
            if len(text) > CHARACTERS:
                answer(error=f"it renders {len(text):,} characters; at most {CHARACTERS:,} are allowed")
            else:
                answer(text=text)


if __name__ == "__main__":
    _serve()
