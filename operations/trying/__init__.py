"""`try`: a sandbox of the platform on a cluster that is there, with all that it needs beside it, and its end."""
