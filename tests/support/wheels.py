"""A Python package without any index: a wheel of one module."""

from __future__ import annotations

import io
import zipfile


def wheel_of(name: str, program: str) -> bytes:
    """The wheel `<name>-1.0-py3-none-any.whl` of the module `name`, whose text is `program`."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": program,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return packed.getvalue()


def wheel_name(name: str) -> str:
    """The name that the file of a wheel must have."""
    return f"{name}-1.0-py3-none-any.whl"
