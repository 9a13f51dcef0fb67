# Says, before anything is deployed, which changed settings the pool cannot take now. azd itself asks for Python.
$python = Get-Command py, python, python3 -ErrorAction SilentlyContinue | Select-Object -First 1
& $python infra/hooks/preprovision.py
exit $LASTEXITCODE
