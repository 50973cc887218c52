"""Refusals of the torch side: one tree, and each message is a sentence for a person."""


class ModelError(Exception):
    """The model cannot be used; the message says what is wrong, where, and how to mend it."""


class WeightsMissingError(ModelError):
    """A file of the model is not there."""


class WeightsDamagedError(ModelError):
    """A weights file is not the one that the model's record names, or is no safetensors file."""


class ModelRecordError(ModelError):
    """The model's JSON record is unreadable or lacks a field."""


class BackboneMismatchError(ModelError):
    """Weights and architecture do not belong together (activation, shapes, normalisation)."""


class PromptTooLongError(ModelError):
    """A class name with its context does not fit into the text encoder."""


class UnusableImageError(ModelError):
    """An image that the model cannot read."""


class CacheError(ModelError):
    """Cached image features that are damaged, of something else, or cannot be written."""


class PrecisionError(ModelError):
    """The device cannot compute usefully in the precision that was asked for."""
