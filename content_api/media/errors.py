"""Why a file is not taken. Each message is one sentence that says what was expected."""

from content_api.problems import Refused, UnsupportedMedia


class TypeNotAccepted(UnsupportedMedia):
    """The content is of a type we do not take, or of two types at once."""

    code = "file-type-not-accepted"


class FileDamaged(Refused):
    """The content is of a type we take, but it is cut short or breaks that type's rules."""

    code = "file-damaged"
