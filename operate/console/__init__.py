"""The operator's console: a page on this machine that shows and redrives what a stack has."""
