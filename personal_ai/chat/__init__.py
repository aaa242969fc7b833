"""Conversations, their store, the two answerers and the way between them."""
