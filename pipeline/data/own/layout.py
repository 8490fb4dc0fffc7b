"""Layout of class folders: which class and split each file belongs to, by its name alone."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.types import Split

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
}
# Files and folders that operating systems, editors and servers leave behind.
SYSTEM = {"__macosx", "@eadir", "thumbs.db", "desktop.ini", "$recycle.bin", "lost+found", "__pycache__"}
SHOWN = 3  # examples in a remark


@dataclass(frozen=True, slots=True)
class Layout:
    """Files by name with their classes (None: in no class folder) and, where folders name them, splits."""

    labels: dict[str, str | None]
    splits: dict[str, Split]
    set_aside: dict[str, str]
    remarks: tuple[str, ...]


def is_system(name: str) -> bool:
    """Whether any part of a path is hidden or is left behind by a system: `.git`, `__MACOSX`, `Thumbs.db`, …"""
    return any(
        part.startswith(".") or part.lower() in SYSTEM for part in name.split("/") if part not in ("", ".", "..")
    )


def plain(label: str) -> tuple[str, str | None]:
    """A class's name as it is compared (stripped, in NFC, 1.0 as 1), and the remark on it if that changed it."""
    name = unicodedata.normalize("NFC", label.strip())
    if re.fullmatch(r"-?\d+\.0+", name):
        name = name.partition(".")[0]
        return name, f"labels      the number {label.strip()} is read as {name}"
    if name != label.strip():
        return name, f"labels      {name}: spelled in Unicode's form NFD; it is the same class as in NFC"
    return name, f"labels      {name}: spaces around it are stripped" if name != label else None


def split_of(name: str) -> Split | None:
    """The split that a folder, or a file without its suffix, is named after: `train`, `dev`, `test-00000-of-00001`."""
    return SPLIT_NAMES.get(re.sub(r"[-_.]\d+(-of-\d+)?$", "", name.lower()))


def arrange(names: Iterable[str]) -> Layout:
    """Sort files (names of folders end in `/`) into classes and splits.

    Hidden and system files are left out, folders around the class folders are ignored, and folders named after splits
    that hold the same classes are the splits.
    """
    system: list[str] = []
    rest: list[str] = []
    for name in names:
        (system if is_system(name) else rest).append(name)
    files = [name for name in rest if not name.endswith("/")]
    parts = _unwrapped([name.split("/") for name in files])
    remarks = [_ignored(system)] if system else []
    splits = _split_folders(parts)
    labels: dict[str, str | None] = {}
    chosen: dict[str, Split] = {}
    aside: dict[str, str] = {}
    for name, part in zip(files, parts, strict=True):
        depth = 1 if splits else 0
        if splits and (len(part) < 2 or part[0] not in splits):
            aside[name] = f"is in none of the folders {', '.join(sorted(splits))}"
            continue
        labels[name], remark = plain(part[depth]) if len(part) > depth + 1 else (None, None)
        if splits and labels[name]:
            chosen[name] = splits[part[0]]
        if remark and remark not in remarks:
            remarks.append(remark)
    if len(set(chosen.values())) < 2 and chosen:
        chosen = {}
    remarks += _empty([name for name in rest if name.endswith("/")], files)
    return Layout(labels, chosen, aside, tuple(remarks))


def _unwrapped(parts: list[list[str]]) -> list[list[str]]:
    """The parts of each name without folders around all class folders; loose files beside such a folder stay loose."""
    tops = {part[0] for part in parts if len(part) > 1}
    if len(tops) != 1 or not any(len(part) > 2 for part in parts):
        return parts
    # Loose files become a single part, whatever level they were on.
    inner = _unwrapped([part[1:] if len(part) > 1 else part for part in parts])
    return inner if len({part[0] for part in inner if len(part) > 1}) > 1 else parts


def _split_folders(parts: list[list[str]]) -> dict[str, Split]:
    """Folders named after splits that share a class, or all folders where train alone has classes; else empty."""
    inside: dict[str, set[str]] = {}
    for part in parts:
        if len(part) > 2:
            inside.setdefault(part[0], set()).add(plain(part[1])[0])
    tops = {part[0] for part in parts if len(part) > 1}
    named = {folder: split for folder in tops if (split := split_of(folder))}
    if len(named) > 1 and named.keys() == tops and any(len(inside.get(folder, ())) > 1 for folder in named):
        labelled = [split for folder, split in named.items() if folder in inside]
        if labelled == ["train"]:  # the others hold files without classes, as tests of competitions do
            return named
    named = {folder: split for folder, split in named.items() if folder in inside}
    others = [inside[folder] for folder in named if named[folder] != "train"]
    train = set().union(*(inside[folder] for folder in named if named[folder] == "train"))
    return named if train and others and all(train & classes for classes in others) else {}


def _ignored(system: list[str]) -> str:
    kinds = Counter(next(part for part in name.split("/") if is_system(part)) for name in system)
    examples = ", ".join(list(kinds)[:SHOWN]) + ", …" * (len(kinds) > SHOWN)
    return f"ignored     {len(system):,} hidden or system files and folders ({examples})"


def _empty(folders: list[str], files: list[str]) -> list[str]:
    """A remark on each folder that holds neither files nor folders."""
    filled = {
        "/".join(parts[:depth]) + "/" for parts in (name.split("/") for name in files) for depth in range(1, len(parts))
    }
    above = {
        "/".join(parts[:depth]) + "/"
        for parts in (name.rstrip("/").split("/") for name in folders)
        for depth in range(1, len(parts))
    }
    empty = sorted(set(folders) - filled - above)
    return [f"empty       the folder {name} holds no file: it is not a class" for name in empty]
