"""The system interface (ic0) that canisters import."""
