"""What tasks left → how they ended, what is recorded of them."""
