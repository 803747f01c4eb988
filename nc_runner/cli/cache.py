"""``nc-run cache``: where decoded images are kept, how much there is, and its removal."""

from __future__ import annotations

from nc_runner.errors import UserError


def cache(words: list[str]) -> int:
    """Say what is kept, or remove it.

    Raises:
        UserError: another word than ``--clear``, or files that cannot be removed.
    """
    from nc_runner.data import image_cache

    if words not in ([], ["--clear"]):
        raise UserError(f"cache: {' '.join(words)} was given; allowed is nothing, or --clear.")
    folder = image_cache.folder()
    try:
        files = image_cache.files()
        size = sum(path.stat().st_size for path in files)
        if not files:
            print(f"{folder} holds no decoded images.")
        elif not words:
            print(f"{folder} holds decoded images: {amount(len(files), size)}.")
        else:
            for path in files:
                path.unlink(missing_ok=True)
            print(f"{folder}: decoded images were removed: {amount(len(files), size)}.")
    except OSError as error:
        wish = "removed" if words else "read"
        raise UserError(
            f"cache: {folder} cannot be {wish} ({error.strerror}); allowed is a folder that can be."
        ) from error
    return 0


def amount(files: int, size: int) -> str:
    """So many files of so many bytes in all, in words."""
    of_what = f"{files} file" if files == 1 else f"{files} files"
    return f"{of_what}, {size / 1e9:.1f} GB" if size >= 1e9 else f"{of_what}, {size / 1e6:.1f} MB"
