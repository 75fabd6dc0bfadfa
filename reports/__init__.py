"""Tables in; figures, pages and comparisons out. Never computes a kernel."""
