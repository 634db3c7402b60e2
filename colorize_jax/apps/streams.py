"""Standard output and standard error that no work ends for."""

import codecs
import io
import sys


class LastingStream(io.TextIOWrapper):
    """A text stream that work never ends for: its reader may be gone, its disk full, its encoding without a letter.

    Attributes:
      lost: why something was not written, the first time; None while all was.
    """

    lost: OSError | None = None

    def write(self, text: str, /) -> int:
        """As of any stream, but that what cannot be written is dropped."""
        try:
            return super().write(text)
        except OSError as error:
            self.lost = self.lost or error
            return len(text)

    def flush(self) -> None:
        """Likewise."""
        try:
            super().flush()
        except OSError as error:
            self.lost = self.lost or error


def keep() -> None:
    """Makes standard output and standard error lasting, see `LastingStream`."""
    codecs.register_error("escaped", _escaped)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if type(stream) is io.TextIOWrapper:
            buffering = {"line_buffering": stream.line_buffering, "write_through": stream.write_through}
            lasting = LastingStream(stream.buffer, stream.encoding, "escaped", "\n", **buffering)
            setattr(sys, name, lasting)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    r"""What an encoding lacks as \xe9 where it is a byte of a file's name that is no text, else as \u5199."""
    assert isinstance(error, UnicodeEncodeError)
    letters = error.object[error.start : error.end]
    told = [rf"\x{ord(c) - 0xDC00:02x}" if "\udc80" <= c <= "\udcff" else ascii(c)[1:-1] for c in letters]
    return "".join(told), error.end


def lost_output() -> str | None:
    """Why standard output is not whole; None where it is, or where its reader just had enough."""
    if sys.stdout is None:  # closed by whoever started the program
        return None
    sys.stdout.flush()
    lost = getattr(sys.stdout, "lost", None)
    return None if lost is None or isinstance(lost, BrokenPipeError) else lost.strerror
