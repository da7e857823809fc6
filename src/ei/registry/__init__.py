"""The registry of modules: packages, who approved them, and a log of all that was submitted."""
