"""The stack in the foreground, with its data kept between runs."""
