"""Solvers of A x = b behind one interface; `choice` lists them."""
