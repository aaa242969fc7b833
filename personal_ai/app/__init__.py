"""One person's opened profile: the one door that both front ends use."""
