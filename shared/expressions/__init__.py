"""Renders the expressions (`{{ … }}`) in a text with the values that they may see."""
