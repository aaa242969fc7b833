"""Answers on this computer: a model in onnxruntime, and the process of its own that it runs in."""

from personal_ai.models.local.model import Finish, LocalModel, LocalReply

__all__ = ["Finish", "LocalModel", "LocalReply"]
