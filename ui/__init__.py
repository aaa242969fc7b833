"""The Qt window: one bridge for threads, pages, widgets, theme; no rules of its own."""
