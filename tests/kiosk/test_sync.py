from __future__ import annotations

from tests.kiosk.conftest import Kiosk
from tests.kiosk.simulator import Origin


def test_first_sync_plays_the_newest_release(kiosk: Kiosk, origin: Origin) -> None:
    origin.publish()
    result = kiosk.sync()
    assert result.outcome == "activated"
    assert kiosk.release == 1
