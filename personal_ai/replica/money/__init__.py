"""The canisters that hold money on the practice network, at their mainnet ids and with their mainnet interfaces."""
