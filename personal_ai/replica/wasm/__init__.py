"""Canister modules: reading, the network's rules, instruction metering, compiling."""
