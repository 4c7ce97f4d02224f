"""The composition root: the only package that reads the environment, connects and makes clients.

There is one module for each function of functions/, and one for each thing that several functions
share. Each value is made when it is first needed and kept for the execution environment. The
modules `submit` and `dispatch` import at their top all that their function needs, so their handlers
import them with the first request. The use cases of `api` are loaded one by one, so that a read
loads no more than it needs.
"""
