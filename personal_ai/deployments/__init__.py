"""Plan, journal, upload: how a model gets into a canister without ever paying twice."""
