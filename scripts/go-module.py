"""Packs a Go module as the proxy of a folder serves it: go-module.py SOURCE VERSION FOLDER

GOPROXY=file://FOLDER then installs it. Files beside Go's own tools, such as npm packages, stay out.
"""

import json
import sys
import zipfile
from pathlib import Path

source, version, folder = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
manifest = (source / "go.mod").read_text(encoding="utf-8")
module = manifest.split("\n")[0].removeprefix("module ").strip()
place = folder / module / "@v"
place.mkdir(parents=True, exist_ok=True)
(place / "list").write_text(version + "\n", encoding="utf-8")
(place / f"{version}.info").write_text(json.dumps({"Version": version}), encoding="utf-8")
(place / f"{version}.mod").write_text(manifest, encoding="utf-8")
with zipfile.ZipFile(place / f"{version}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for path in sorted(source.rglob("*")):
        within = path.relative_to(source)
        if path.is_file() and "tools" not in within.parts:
            archive.write(path, f"{module}@{version}/{within.as_posix()}")
