"""The fault bench: `make faults`. See faults.py."""
