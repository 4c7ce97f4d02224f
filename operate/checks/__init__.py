"""What the doctor looks at, one function a check: a site in, findings out."""
