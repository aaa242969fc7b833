"""The starter model: a tiny guide that knows this app only, its texts, its training and its evaluation."""
