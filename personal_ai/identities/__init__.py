"""Recovery phrases, keys, the vault that holds them and the operating system's keyring."""
