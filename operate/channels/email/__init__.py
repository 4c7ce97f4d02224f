"""The tools for email: SES and its previews."""
