"""Models from a Hugging Face hub: look one up, tell what it is and how large, and fetch it, nothing twice."""
