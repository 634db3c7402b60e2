"""XMP packets of pictures: what the photo's said, what is true of the picture, and where its colours are from.

A packet is changed as text, where something has to be: a parser would write it anew, with other prefixes and without
what it does not know. Sources: XMP specification, part 1 (ISO 16684-1:2019); IPTC Photo Metadata Standard 2023.1.
"""

import re
from collections.abc import Mapping
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

NAMESPACE = "urn:colorize_jax:provenance:1.0#"
"""Of the properties that tell where colours are from."""

_SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_END = re.compile(r"</(\w+:)?RDF\s*>")
_EARLIER = re.compile(
    rf"<rdf:Description\b[^>]*{re.escape(NAMESPACE)}[^>]*/>\s*"
)  # of a photo that was colored before
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_NOW = {"tiff:Orientation": "1", "exif:ColorSpace": "1", "photoshop:ColorMode": "3"}
_GONE = (
    "photoshop:ICCProfile",
    "hdrgm:Version",
    "Container:Directory",
    "GContainer:Directory",
)  # or gain maps
_OF_OTHER_COLORS = ("Iptc4xmpExt:DigitalSourceType",)
_FRAME = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
</rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""

# By PNG's keywords: the property, and the array that it is in, where it is in one.
_WORDS = {
    "Title": ("dc:title", "Alt"),
    "Description": ("dc:description", "Alt"),
    "Comment": ("exif:UserComment", "Alt"),
    "Copyright": ("dc:rights", "Alt"),
    "Author": ("dc:creator", "Seq"),
    "Keywords": ("dc:subject", "Bag"),
    "Headline": ("photoshop:Headline", None),
    "Credit": ("photoshop:Credit", None),
    "Source": ("photoshop:Source", None),
}
_IPTC = {
    5: "Title",
    25: "Keywords",
    80: "Author",
    105: "Headline",
    110: "Credit",
    115: "Source",
    116: "Copyright",
}
_IPTC |= {120: "Description"}
_SPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
}


def packet(original: bytes, provenance: Mapping[str, str], words: Mapping[str, str] | None = None) -> bytes:
    """The packet of a picture, UTF-8; empty where there is nothing to say.

    Args:
      original: the photo's packet, in any of Unicode's encodings, or empty. One that is no XML is left out.
      provenance: of the colours, by property.
      words: by PNG's keywords, which are put in where the photo's packet has no such property.
    """
    text = _decoded(original)
    if not text and not provenance and not words:
        return b""
    text = _EARLIER.sub("", text)
    for name, value in _NOW.items():
        text = _with_value(text, name, value)
    for name in (*_GONE, *_OF_OTHER_COLORS) if provenance else _GONE:
        text = _without(text, name)
    text = text or _FRAME
    added = _provenance(provenance) + "".join(_word(text, *each) for each in (words or {}).items())
    end = list(_END.finditer(text))[-1]
    return (text[: end.start()] + added + text[end.start() :]).encode()


def words_of_iptc(records: bytes) -> dict[str, str]:
    """What IPTC's records say, by PNG's keywords; several values of one are joined by semicolons."""
    words: dict[str, list[str]] = {}
    place = 0
    while records[place : place + 1] == b"\x1c" and place + 5 <= len(records):
        record, kind = records[place + 1 : place + 3]
        size = int.from_bytes(records[place + 3 : place + 5], "big")
        if size & 0x8000:  # longer than any caption may be
            break
        if record == 2 and kind in _IPTC:
            content = records[place + 5 : place + 5 + size]
            words.setdefault(_IPTC[kind], []).append(_text(content))
        place += 5 + size
    return {name: "; ".join(values) for name, values in words.items()}


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _decoded(original: bytes) -> str:
    """The text of a packet; empty where it is damaged."""
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        try:
            text = original.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _END.search(text):
            return text if _is_whole(text) else ""
    return ""


def _is_whole(text: str) -> bool:
    if "<!" in text.replace("<![CDATA[", "").replace("<!--", ""):  # an entity may grow without end
        return False
    try:
        ElementTree.fromstring(
            re.sub(r"<\?xpacket.*?\?>", "", text, flags=re.DOTALL).strip().strip("\0").strip()
        )
    except ElementTree.ParseError:
        return False
    return f'"{_RDF}"' in text or f"'{_RDF}'" in text


def _with_value(text: str, name: str, value: str) -> str:
    """A property that is there, as an attribute or as an element, with another value."""
    text = re.sub(rf"""(\s{name}\s*=\s*)(["'])[^"']*\2""", rf"\g<1>\g<2>{value}\g<2>", text)
    return re.sub(rf"(<{name}>)[^<]*(</{name}>)", rf"\g<1>{value}\g<2>", text)


def _without(text: str, name: str) -> str:
    text = re.sub(rf"""\s{name}\s*=\s*(["'])[^"']*\1""", "", text)
    return re.sub(rf"<{name}\b[^>]*(/>|(?<!/)>.*?</{name}>)", "", text, flags=re.DOTALL)


def _provenance(provenance: Mapping[str, str]) -> str:
    if not provenance:
        return ""
    said = "".join(f"\n  colorize:{name}={quoteattr(value)}" for name, value in provenance.items())
    extension = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    return (
        f'<rdf:Description xmlns:rdf="{_RDF}" rdf:about="" xmlns:colorize="{NAMESPACE}" '
        f'xmlns:Iptc4xmpExt="{extension}"\n  Iptc4xmpExt:DigitalSourceType="{_SOURCE}"{said}/>\n'
    )


def _word(text: str, keyword: str, value: str) -> str:
    """A word as a property, where there is one for it that the packet does not have."""
    name, array = _WORDS.get(keyword, ("", None))
    if not name or re.search(rf"[<\s]{name}\b", text):
        return ""
    space, content = name.partition(":")[0], escape(value)
    if array:
        language = ' xml:lang="x-default"' if array == "Alt" else ""
        values = [content] if array == "Alt" else content.split("; ")
        items = "".join(f"<rdf:li{language}>{each}</rdf:li>" for each in values)
        content = f"<rdf:{array}>{items}</rdf:{array}>"
    opened = f'<rdf:Description xmlns:rdf="{_RDF}" rdf:about="" xmlns:{space}="{_SPACES[space]}">'
    return f"{opened}<{name}>{content}</{name}></rdf:Description>\n"
