"""Generates `relearn.*` and the packaged topic files from `proto/`.

Run it again after a change of `proto/`: `python -m relearn_contracts.build`. What protoc writes is never patched.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

PACKAGE_ROOT = Path(__file__).resolve().parent.parent
log = logging.getLogger(__name__)


def generate(*, package_root: Path = PACKAGE_ROOT, proto: Path | None = None) -> None:
    """Brings `relearn/` and `relearn_contracts/_generated/` of a package folder to what `proto/` says.

    Files that did not change keep their modification time, and each is replaced in one step, so that processes
    which run meanwhile never see half of one.

    Raises:
        SystemExit: protoc refused a file; its message names file and line.
    """
    source = proto or package_root.parent.parent / "proto"
    with tempfile.TemporaryDirectory() as temporary:
        built = Path(temporary)
        _protoc(source, built)
        _make_packages(built)
        _mirror(built / "relearn", package_root / "relearn")
    topics = {path.name: path.read_bytes() for path in sorted((source / "topics").glob("*.yaml"))}
    _mirror_files(topics, package_root / "relearn_contracts" / "_generated" / "topics")


def _protoc(source: Path, out: Path) -> None:
    from grpc_tools import protoc  # a build requirement only

    protos = sorted(str(path.relative_to(source)) for path in (source / "relearn").rglob("*.proto"))
    if not protos:
        raise SystemExit(f"no .proto file under {source / 'relearn'}")
    # the plugins of mypy-protobuf are installed beside the interpreter, which need not be on PATH
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    outputs = [f"--{kind}_out={out}" for kind in ("python", "grpc_python")]
    typed = [f"--{kind}_out=quiet:{out}" for kind in ("mypy", "mypy_grpc")]
    includes = [f"-I{source}", f"-I{files('grpc_tools') / '_proto'}"]
    if protoc.main(["protoc", *includes, *outputs, *typed, *protos]) != 0:
        raise SystemExit("protoc refused the contracts; its message above names file and line")


def _make_packages(built: Path) -> None:
    root = built / "relearn"
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        (folder / "__init__.py").write_text("")
    (root / "py.typed").write_text("")


def _mirror(source: Path, target: Path) -> None:
    _mirror_files({str(p.relative_to(source)): p.read_bytes() for p in source.rglob("*") if p.is_file()}, target)


def _mirror_files(wanted: dict[str, bytes], target: Path) -> None:
    """Makes `target` hold exactly the wanted files (bytecode aside), touching only those that differ."""
    for name, content in wanted.items():
        path = target / name
        if path.exists() and path.read_bytes() == content:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        fresh.write_bytes(content)
        fresh.replace(path)
    for path in sorted(target.rglob("*")) if target.exists() else []:
        stale = path.is_file() and str(path.relative_to(target)) not in wanted
        if stale and path.suffix != ".pyc" and not path.name.startswith("."):
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    generate()
    log.info("generated relearn.* and the topic files")
