"""Reports with previews of files, as they are made of the files of a run."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

from shared.documents.record import RecordedFlow, Timings
from shared.documents.states import State
from shared.documents.task_result import OutputFile, Outputs, TaskRecord
from shared.report.page import Report
from shared.report.previews import READ_BYTES, FileStart, previews_to_show
from tests.support.report_samples import DROPPED, EVIL, SALES, after, kept, logs, ran, record

JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////"
    "////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA="
)


def png(width: int = 640, height: int = 400) -> bytes:
    """A picture: stripes with a gradient."""
    rows = b"".join(
        b"\0" + b"".join(bytes((60 + 160 * x // width, 90 + 90 * ((x // 40 + y // 40) % 2), 190)) for x in range(width))
        for y in range(height)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 220" width="400" height="220">
<polyline points="20,200 90,150 160,160 230,80 300,95 380,20" fill="none" stroke="#0b5cad" stroke-width="3"/>
<line x1="20" y1="200" x2="380" y2="200" stroke="#57606b"/>
<text x="24" y="30" font-family="sans-serif">sales</text></svg>"""
EVIL_SVG = b"""<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40" onload="alert(1)">
<script>document.title = "owned"; alert(2); fetch("http://127.0.0.1:9/stolen")</script>
<image href="http://127.0.0.1:9/tracked.png" width="9" height="9"/>
<foreignObject><body xmlns="http://www.w3.org/1999/xhtml" onload="alert(3)"/></foreignObject>
<rect width="60" height="40" fill="teal"/></svg>"""


def previewed(files: Mapping[str, bytes], **others: Mapping[str, bytes]) -> Report:
    """The report of a run whose task `draw` has made files, and others by the ids of their tasks."""
    tasks = tuple(_task(name, made) for name, made in {"draw": files, **others}.items())
    contents = {
        f"outputs/{task}/{path}": data
        for task, made in {"draw": files, **others}.items()
        for path, data in made.items()
    }
    timings = Timings(dropped=DROPPED, submitted=after(1), started=after(3), ended=after(11), recorded=after(13))
    made = record(
        flow=RecordedFlow(id="daily-sales"),
        tasks=tasks,
        timings=timings,
        labels={"team": "sales", "tier": "2"},
        inputs={"day": "2026-11-21", "regions": ["north", "south"]},
    )
    starts = [_start(preview, contents[preview.file.blob]) for preview in previews_to_show(made, {})]
    return Report(made, manifest=kept(SALES), description="Loads the sales of a day, and draws them.", previews=starts)


def _task(name: str, files: Mapping[str, bytes]) -> TaskRecord:
    found = {path: OutputFile(blob=f"outputs/{name}/{path}", bytes=len(data), md5=None) for path, data in files.items()}
    return TaskRecord(id=name, **ran(3, 11, state=State.SUCCESS, logs=logs(name)), outputs=Outputs(output_files=found))


def _start(preview, content: bytes) -> FileStart:
    return FileStart(preview, content[:READ_BYTES] if preview.is_read else b"", len(content))


def written(report: Report, files: Mapping[str, bytes], folder: Path, task: str = "draw") -> Path:
    """The page in a folder, and the files beside it as in the results."""
    for path, content in files.items():
        blob = folder / "outputs" / task / path
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
    page = folder / "report.html"
    page.write_text(report.html(str), encoding="utf-8")
    return page


FILES: dict[str, bytes] = {
    "plot.png": png(),
    "charts/sales.svg": SVG,
    "photo.JPG": JPEG,
    "sales.csv": "".join(
        ["day,region,units,revenue,comment\n"]
        + [f'2026-11-{n:02},north,{n * 37 % 100},{n * 1234.5:.2f},"as ""usual"", and more"\n' for n in range(1, 31)]
    ).encode(),
    "export.csv": "\ufeffname;amount\r\nMüller;1,5\r\nWeiß;12,25\r\n".encode(),
    "summary.json": json.dumps(
        {"rows": 1200, "by region": {f"region-{n}": {"mean": n / 7, "tags": []} for n in range(20)}}
    ).encode(),
    "README.md": b"# Sales\n\n- *loaded* from <b>there</b>\n- [link](javascript:alert(1))\n",
    "run.log": "".join(f"step {n}: {'loading ' * (n % 40)}\n" for n in range(200)).encode(),
}
EVIL_FILES: dict[str, bytes] = {
    "a #1?&.png": png(20, 10),
    "'\" onerror='alert(1)' x.png": png(20, 10),
    "ünï 100%41 日本.svg": EVIL_SVG,
    "javascript:alert(1).svg": EVIL_SVG,
    "no picture.png": b"<script>alert(1)</script>",
    EVIL.replace("/", "|")
    + ".csv": f'{EVIL},"=HYPERLINK(""javascript:alert(1)"")"\n"two\nlines",\u202egnp.exe\n'.encode(),
    "columns.csv": (",".join(f"column {n}" for n in range(5_000)) + "\n" + ",".join(map(str, range(5_000)))).encode(),
    "line.txt": EVIL.encode() * 100,
    "words.md": ("supercalifragilistic " * 400).encode(),
    "evil.json": json.dumps({EVIL: [EVIL], "\u202e": "\x1b[31m"}, ensure_ascii=False).encode(),
}
