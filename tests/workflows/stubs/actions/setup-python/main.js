// Does nothing: the tests put the tools on PATH. (A composite action without steps fails under act.)
