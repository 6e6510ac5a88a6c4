"""Diagnostics: what they are (`model`), which there are (`codes`), and one file for each form they are written in."""
