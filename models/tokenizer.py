"""The small model's tokenizer: a short word list, and UTF-8 bytes for every other word.

CLIP's own vocabulary of 49,408 pieces would be larger than the rest of the small model.
Identifiers: 0 padding, 1-256 bytes, then the words, and the last two of the vocabulary for
start and end. The end is the highest, because CLIP's pooling finds it by argmax.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.errors import ModelRecordError

_FIRST_WORD = 257
_PIECES = re.compile(r"[a-z]+|\d|[^\sa-z\d]")


@dataclass(frozen=True)
class WordTokenizer:
    """Callable like open_clip's tokenizers: texts to identifiers of fixed length."""

    words: tuple[str, ...]
    vocabulary_size: int
    context_length: int

    def __post_init__(self) -> None:
        if _FIRST_WORD + len(self.words) > self.vocabulary_size - 2:
            raise ModelRecordError(
                f"The model's record lists {len(self.words)} words, but its vocabulary of "
                f"{self.vocabulary_size} holds {self.vocabulary_size - 2 - _FIRST_WORD}; "
                "use the record that was written with these weights."
            )

    @property
    def start(self) -> int:
        """Identifier of the start of a text."""
        return self.vocabulary_size - 2

    @property
    def end(self) -> int:
        """Identifier of the end of a text."""
        return self.vocabulary_size - 1

    def encode(self, text: str) -> list[int]:
        """Return a text's identifiers, without start and end."""
        index = {word: _FIRST_WORD + place for place, word in enumerate(self.words)}
        identifiers: list[int] = []
        for piece in _PIECES.findall(text.lower()):
            if piece in index:
                identifiers.append(index[piece])
            else:
                identifiers.extend(byte + 1 for byte in piece.encode())
        return identifiers

    def __call__(self, texts: str | Sequence[str]) -> Tensor:
        """Return padded identifiers; a text that is too long loses its last words. (N, L)."""
        texts = [texts] if isinstance(texts, str) else texts
        batch = torch.zeros(len(texts), self.context_length, dtype=torch.long)
        for row, text in enumerate(texts):
            kept = self.encode(text)[: self.context_length - 2]
            identifiers = [self.start, *kept, self.end]
            batch[row, : len(identifiers)] = torch.tensor(identifiers)
        return batch  # (N, L)
