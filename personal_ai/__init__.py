"""Personal AI: one person's own model in a canister that they alone control."""
