"""One folder per service module: `manifest.toml`, `service.py`, `test_service.py`, and its like."""
