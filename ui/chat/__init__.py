"""The chat behind its page: the conversation at hand, the reply under way, what is kept."""
