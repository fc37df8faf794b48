"""The routes, one module per noun. Each turns a request into a call of a port, and what it returns into a response."""
