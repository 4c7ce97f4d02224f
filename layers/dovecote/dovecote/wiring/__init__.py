"""The composition root: the only package that reads the environment, connects and makes clients.

There is one module for each function of functions/, and one for each thing that several functions
share. Each value is made when it is first needed and kept for the execution environment. A module
imports at its top only what every function needs. A function imports the rest where it uses it, so
that a cold start of api loads no templates and one of feedback no catalog.
"""
