"""The bundle: one zip with all that a run or a campaign left, without secrets; it can be judged again."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from reports import folder as run_folder
from reports.campaign_plan import is_campaign, read_plan
from reports.redaction import Redactor

NAME = "bundle"
MANIFEST = "MANIFEST.json"
SCHEMA = "alertstorm/bundle/v1"
_UNREADABLE = "is no text, and something in it looks like a secret"


@dataclass(frozen=True, slots=True)
class Packed:
    """One file of a bundle: its name in it, the size and SHA-256 of what is there, and how many secrets were
    taken out; ``left_out`` says why it is not there at all."""

    name: str
    bytes: int
    sha256: str
    taken_out: int
    left_out: str = ""


def write(folder: Path, path: Path) -> list[Packed]:
    """Pack a run's folder, or a campaign's with those of its runs, into a zip; return what is in it.

    Text loses its secrets (`reports.redaction`). What is no text is packed as it is, unless it seems to hold
    a secret: then it is left out, and the manifest says so.

    Raises:
        FolderError: if the folder is neither a run's nor a campaign's.
        OSError: if the zip cannot be written.
    """
    folder = folder.resolve()
    folders = list(_folders(folder))
    beside = path.with_name(f"{path.name}.part")
    packed: list[Packed] = []
    try:
        with zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as archive:
            for each in folders:
                redactor = Redactor(keep=_kept(each))
                for file in _files(each):
                    packed.append(_pack(archive, file, f"{each.name}/{file.relative_to(each)}", redactor))
            listed = {"schema": SCHEMA, "of": folder.name, "files": [asdict(p) for p in packed]}
            archive.writestr(MANIFEST, json.dumps(listed, indent=1) + "\n")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return packed


def _folders(folder: Path) -> Iterator[Path]:
    if not is_campaign(folder):
        run_folder.description(folder)
        yield folder
        return
    yield folder
    for entry in read_plan(folder).entries:
        run = folder.parent / (entry.run or "")
        # A campaign names its runs by the names of folders beside it; another path is not followed.
        if entry.run and run.parent == folder.parent and run.is_dir() and not run.is_symlink():
            yield run


def _kept(folder: Path) -> set[str]:
    try:
        return {run_folder.description(folder).token}
    except run_folder.FolderError:
        return set()


def _files(folder: Path) -> Iterable[Path]:
    # What is learned from the fields of documents is known again in the pages.
    found = sorted(folder.rglob("*"), key=lambda p: (p.suffix != ".json", p))
    return [p for p in found if p.is_file() and not p.is_symlink() and p.suffix != ".part"]


def _pack(archive: zipfile.ZipFile, file: Path, name: str, redactor: Redactor) -> Packed:
    before, data = redactor.count, file.read_bytes()
    try:
        data = _cleaned(file, data.decode(), redactor)
    except UnicodeDecodeError:
        redactor.text(data.decode("latin-1"))
        if redactor.count > before:
            return Packed(name, 0, "", redactor.count - before, _UNREADABLE)
    about = zipfile.ZipInfo.from_file(file, name)
    about.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(about, data)
    return Packed(name, len(data), hashlib.sha256(data).hexdigest(), redactor.count - before)


def _cleaned(file: Path, text: str, redactor: Redactor) -> bytes:
    if file.suffix == ".json":
        try:
            before = redactor.count
            document = redactor.document(json.loads(text))
            return (text if redactor.count == before else json.dumps(document, indent=1) + "\n").encode()
        except (ValueError, RecursionError):
            pass  # Torn: a record of a run that died. It is packed as the text that it is.
    return "".join(redactor.lines(text)).encode()
