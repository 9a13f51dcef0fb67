"""`{{ … }}`: a text and the values it may see → text."""
