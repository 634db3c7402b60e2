"""What is wrong with a photo, in one line."""

WITHOUT_SOME = 3
"""The exit code of programs that did all but for photos that could not be taken, each of which was named."""


class PhotoError(ValueError):
    """A photo that cannot be read or written; the message is one line and names it."""


def one_line(error: BaseException) -> str:
    """An error's message without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__
