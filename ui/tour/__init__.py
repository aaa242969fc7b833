"""The window in its states, drawn for people to look at: `python -m ui.tour --out DIR`."""
