"""Encoders: models that turn a text into numbers."""
