"""Documents, templates and dependencies say what is true."""
