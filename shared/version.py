"""The version of the app, as its card and its package say it."""

VERSION = "0.2.0"
