"""Any Internet Computer network: agent, certificates, Candid, profiles, management canister, ledgers."""
