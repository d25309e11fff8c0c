"""The volumes tests stand on behave as sticks do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kiosk.volumes import volume


@pytest.mark.parametrize("kind", ["fat", "exfat"])
def test_what_was_written_is_there_when_the_stick_is_plugged_in_again(
    kind: str, tmp_path: Path
) -> None:
    image = tmp_path / "stick"
    with volume(kind, 40, image=image) as folder:
        (folder / "harbour.json").write_bytes(b"{}")
        with pytest.raises(OSError, match=r"not (implemented|permitted|supported)"):
            (folder / "link").symlink_to("harbour.json")
    with volume(kind, 40, image=image) as folder:
        assert (folder / "harbour.json").read_bytes() == b"{}"
