"""The engine that runs on chain, its interface, its build and its Python client."""
