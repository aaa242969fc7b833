"""The embedded practice network: a process of its own behind the real HTTPS interface."""
