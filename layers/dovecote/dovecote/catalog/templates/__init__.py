"""The template engine: Jinja2 with payload values that behave as JSON, compiled ahead."""
