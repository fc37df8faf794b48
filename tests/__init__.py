"""Wire's tests: `unit` mirrors `wire/`; `services` starts the real servers the others need."""
