#!/bin/sh
# Says, before anything is deployed, which changed settings the pool cannot take now. azd itself asks for Python.
exec python3 infra/hooks/preprovision.py
