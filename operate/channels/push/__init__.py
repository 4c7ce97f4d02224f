"""The tools for push: SNS and its previews."""
