"""Every feature's tables, imported together so that `Base.metadata` is whole."""

from content_api.accounts import models as accounts
from content_api.content import models as content
from content_api.content.exchange import models as exchange
from content_api.database import Base
from content_api.devices import fleet_models as fleet
from content_api.devices import models as devices
from content_api.languages import models as languages
from content_api.media import models as media
from content_api.packages import models as packages

__all__ = [
    "Base",
    "accounts",
    "content",
    "devices",
    "exchange",
    "fleet",
    "languages",
    "media",
    "packages",
]
