"""Addresses as they may be kept: stored, logged, printed, or put into an error.

An address may hold secrets: `user:password@`, the query of a signed link, a fragment, another address inside it. They
are needed to fetch a video and for nothing else. So what is kept is put together from an allow-list of parts: the
scheme, the host, the port, the path, and the query's `v` of YouTube. All else is replaced by twelve digits of its hash,
so that links which differ only there still are different videos; with twelve, no two of a million links are likely to
have the same. What signs a link does not count: it changes when a link is signed again.

A path is kept because its parts name the video, except for a part that looks like a secret: its hash stands in its
place. It counts for what the video is, since nothing tells which parts of a path sign and which name.

Nobody can tell whether `https://user:12/34@host` has a password with a slash, or a port and a path. Such an address is
kept as its scheme alone, and refused as a source: `why_unfit`.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Self
from urllib.parse import parse_qsl, unquote

from embed.machine import VIDEO_SUFFIXES

WEB = ("http", "https")
SCHEMES = (*WEB, "s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "ftp")
"""The schemes that sources may have. fsspec knows more; some of them read this machine (`local`, `reference`)."""

# At least two letters, since C:// is a drive. Anywhere, since a chain of fsspec may begin with a path.
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_PARTS = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]{1,15})://"
    r"(?:(?P<login>[^/?#\\\s]*)@)?"
    r"(?P<host>[\w.~-]*|\[[0-9a-f:.]+\])(?P<port>:[0-9]{1,5})?"
    r"(?P<rest>(?:[/?#].*)?)",
    re.IGNORECASE | re.DOTALL,
)
_FILE = re.compile(r"(file://(?:localhost)?/(?:(?!://|::)[^?#])*)(?:[?#].*)?", re.IGNORECASE | re.DOTALL)
_CONTAINER = re.compile(r"[\w.-]+")  # of abfs://container@account, which is no user
_YOUTUBE = re.compile(r"(?:[\w-]+\.)*(?:youtube\.com|youtube-nocookie\.com|youtu\.be)", re.IGNORECASE)
_YOUTUBE_ID = re.compile(r"[\w-]{6,16}")
# Parameters that sign a link, say until when it holds or who follows it: they do not name the video.
_SIGNING = re.compile(
    r"x-(amz|goog|ms|oss|cos)-.*|aws.*|google.*|.*(token|signature|secret|password|credential|session|apikey|api_key).*"
    r"|sig|sign|expires?|exp|e|policy|key-pair-id|auth.*|hmac|hdnea|hdnts|pass|pwd|user|utm_.*|fbclid|gclid"
    r"|s[vetprk]|spr|sip|sks|skv|skt|ske|skoid|sktid|response-.*",
    re.IGNORECASE,
)
_PATH_PARAMETER = re.compile(r";([^/;=]+)=([^/;]*)")  # such as ;jsessionid=...
# What may be secret in a part of a path: a JSON Web Token (RFC 7519), a setting that signs, letters at random.
_WEB_TOKEN = re.compile(r"eyJ[\w-]{8,}")
_SECRET_SETTING = re.compile(
    r"(?<![a-z])(?:[\w-]*(?:token|signature|secret|password|passwd|credential|sessionid|apikey|api_key|hmac)"
    r"|sig|pwd|hdnea|hdnts)=.",
    re.IGNORECASE,
)
_LONG_WORD = re.compile(r"[A-Za-z0-9_-]{20,}")
_RUN = re.compile(r"[A-Za-z0-9]{12,}")
_PIECE_OF_A_NAME = re.compile(r"[A-Z]?[a-z]{3,}|[0-9]{3,}")
_SHARE_OF_A_NAME = 0.6
"""A run of which these pieces make less is random. Of made tokens of 43 letters of base64url, 1 in 86 is not found."""
_QUERY_MARK = re.compile(r"[?#;]")
_SETTING = re.compile(r"&[\w.~%-]+=")
_HASH_DIGITS = 12
_MARK = "~"
_HASHED = re.compile(rf"{_MARK}[0-9a-f]{{{_HASH_DIGITS}}}")


@dataclass(frozen=True)
class _Address:
    """The parts of an address that can be read in one way only; `query` and `fragment` without their first mark."""

    scheme: str
    host: str
    port: str
    path: str
    query: str

    @classmethod
    def read(cls, address: str) -> "Self | str":
        """Return an address's parts, or why it has none."""
        found = _PARTS.fullmatch(address)
        if not found:
            return (
                "is not written as an address is: scheme, host, path. Write `/` and `@` of a password as %2F and %40; "
                "chains of addresses (`::`) are refused"
            )
        scheme, login, host, port, rest = found.group("scheme", "login", "host", "port", "rest")
        if "@" in rest and (login is not None or port or _ADDRESS.search(rest)):
            return "has a second `@`, or one behind a port. Write `@` and `/` of a password or path as %40 and %2F"
        if "::" in rest and _ADDRESS.search(rest):
            return "is a chain of addresses. Use the address of the video itself"
        if scheme.lower() in ("abfs", "abfss") and login and _CONTAINER.fullmatch(login):
            host = f"{login}@{host}"
        path, query = _split(rest, is_web=scheme.lower() in WEB)
        return cls(scheme.lower(), host, port or "", path, query)


def _split(rest: str, *, is_web: bool) -> tuple[str, str]:
    """Return an address's path, and its query without its fragment."""
    if is_web:
        path, _, query = rest.partition("#")[0].partition("?")
        return _PATH_PARAMETER.sub(_kept_parameter, path), query
    start = _start_of_query(rest)
    return (rest, "") if start is None else (rest[:start], rest[start + 1 :])


def _start_of_query(key: str) -> int | None:
    """Return where what follows an object's key begins, which may hold ?, # and ; itself; None if nothing follows.

    >>> _start_of_query("/a.mp4?&sig=1"), _start_of_query("/a.mp4?secret"), _start_of_query("/what? #3;x.mp4")
    (6, 6, None)
    """
    last_setting = max((found.start() for found in _SETTING.finditer(key)), default=-1)
    ends_as_key = PurePosixPath(key).suffix.lower() in VIDEO_SUFFIXES or key.endswith("/")
    for start in (found.start() for found in _QUERY_MARK.finditer(key)):
        slash = key.find("/", start)
        is_set = start < last_setting or key.find("=", start, slash if slash >= 0 else len(key)) >= 0
        is_behind_name = PurePosixPath(key[max(0, start - 16) : start]).suffix.lower() in VIDEO_SUFFIXES
        if is_set or is_behind_name or (slash < 0 and not ends_as_key):
            return start
    return None


def _kept_parameter(found: re.Match[str]) -> str:
    return "" if _SIGNING.fullmatch(found[1]) else f";{_MARK}{_hash(found[0])}"


_KNOWN = "|".join(sorted((*SCHEMES, "ftps", "magnet", "rtmp", "rtsp", "sftp"), key=len, reverse=True))
# An address that lacks `://`: `http:/host`, `https//host`, `https : //host`, `magnet:?xt=`, `//me:password@host`.
_MISTYPED = re.compile(
    rf"(?:(?P<scheme>{_KNOWN})(?:\s*[:;]?\s*[/\\]{{2,}}|[:;][/\\]?)(?=[^\s/\\:;,.)'\"])"
    r"|(?P<other>(?!file:)[a-z][a-z0-9+.-]+):(?:[/\\]?\?|[/\\]+[^\s/\\@]*@)"
    r"|(?:[/\\]{2,}[^\s/\\@]*|[^\s/\\:@\"'(\[]+:[^\s/\\@]+)@)\S*",
    re.IGNORECASE,
)


def why_mistyped(source: str) -> str | None:
    """Return what is wrong with a source that is neither a path nor an address; None if it may be a path.

    >>> why_mistyped("http:/me:secret@host/a.mp4")
    'begins as an address of http, but not with http://'
    >>> why_mistyped("videos/a.mp4"), why_mistyped("C:/videos/a.mp4"), why_mistyped("./http:/a.mp4")
    (None, None, None)
    """
    found = None if has_address(source) else _MISTYPED.match(source.lstrip())
    if not found:
        return None
    scheme = (found["scheme"] or found["other"] or "").lower()
    return f"begins as an address of {scheme}, but not with {scheme}://" if scheme else "has a login, but no scheme"


def has_address(text: str) -> bool:
    """Return True if a text has an address in it, of whatever scheme."""
    return bool(_ADDRESS.search(text))


def why_unfit(address: str) -> str | None:
    """Return why an address is no source, as a text that follows it in a message; None if it is one."""
    read = _Address.read(address)
    if isinstance(read, str):
        return read
    if read.scheme not in SCHEMES:
        return f"has the scheme {read.scheme}, which is not allowed. Allowed are {', '.join(SCHEMES)}"
    if "\0" in (unquote(read.path) if read.scheme in WEB else read.path):
        return "has a NUL (%00) in its path, which no name has. Check the link"
    return None if read.host else "names no host or bucket"


def without_secrets(location: str) -> str:
    """Return a location that may be kept. A path stays as it is; an address that is no source becomes its scheme.

    >>> without_secrets("https://me:secret@host/a.mp4?X-Amz-Signature=12")
    'https://host/a.mp4'
    >>> without_secrets("https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=3")
    'https://www.youtube.com/watch?v=dQw4w9WgXcQ'
    >>> without_secrets("https://host/download?file=a.mp4"), without_secrets("zip://a.mp4::https://me:secret@host/x.zip")
    ('https://host/download?~a7638d76ec93', 'zip://(hidden)')
    >>> without_secrets("https://host/dl/eyJhbGciOiJIUzI1NiJ9.e30.Et9H/a.mp4")
    'https://host/dl/~096ce9261739/a.mp4'
    """
    if not has_address(location):
        return location
    read = _Address.read(location)
    if file := _FILE.fullmatch(location):
        return file[1]  # of this machine, where nothing of a path is secret
    if isinstance(read, str) or read.scheme not in SCHEMES:
        scheme = _ADDRESS.match(location)
        return f"{scheme.group().lower() if scheme else ''}(hidden)"
    path = "/".join(map(_kept_part, read.path.split("/")))
    return f"{read.scheme}://{read.host}{read.port}{path}{_kept_query(read)}"


def _kept_part(part: str) -> str:
    """Return a part of a path, or its hash if it may be secret; the ending of a video's file stays."""
    text, suffix = unquote(part), PurePosixPath(part).suffix
    suffix = suffix if suffix.lower() in VIDEO_SUFFIXES else ""
    if _HASHED.fullmatch(part.removesuffix(suffix)) or not _may_be_secret(text, is_file=bool(suffix)):
        return part
    return f"{_MARK}{_hash(text)}{suffix}"


def _may_be_secret(text: str, *, is_file: bool) -> bool:
    """Return True if a part of a path looks like a secret. The name of a file may have any letters and digits."""
    if _WEB_TOKEN.search(text) or _SECRET_SETTING.search(text):
        return True
    runs = (run for word in _LONG_WORD.findall(text) for run in _RUN.findall(word))
    return not is_file and any(map(_is_random, runs))


def _is_random(run: str) -> bool:
    """Return True if capitals, small letters and digits alternate as in a random text, and not as in a name.

    >>> _is_random("Zq3xVb81LmPo9QtYw2Kd7A"), _is_random("MyHoliday2023"), _is_random("d41d8cd98f00b204e980")
    (True, False, False)
    """
    is_mixed = run.lower() != run != run.upper() and any(map(str.isdigit, run))
    return is_mixed and sum(map(len, _PIECE_OF_A_NAME.findall(run))) < _SHARE_OF_A_NAME * len(run)


def _kept_query(address: _Address) -> str:
    if _HASHED.fullmatch(address.query):  # this address is as it is kept
        return f"?{address.query}"
    pairs = parse_qsl(address.query, keep_blank_values=True)
    if _YOUTUBE.fullmatch(address.host):
        return next((f"?v={value}" for key, value in pairs if key == "v" and _YOUTUBE_ID.fullmatch(value)), "")
    naming = [pair for pair in pairs if not _SIGNING.fullmatch(pair[0])]
    return f"?{_MARK}{_hash(repr(naming))}" if naming else ""


def _hash(text: str) -> str:
    return sha256(text.encode(errors="surrogateescape")).hexdigest()[:_HASH_DIGITS]


def without_addresses(text: str) -> str:
    """Return a text of this package with every address in it as it may be kept.

    An address ends at a space. An address with a space in it goes on behind it: of the words there, logins and queries
    are taken out, too.

    >>> without_addresses("see https://me:pass@host/a?token=1 for it, or //me:pass@host/b")
    'see https://host/a for it, or //host/b'
    >>> without_addresses("https://host/my clip.mp4?token=1 is gone")
    'https://host/my clip.mp4 is gone'
    """
    text = _MISTYPED_WORD.sub(_hidden_word, text)
    first = _ADDRESS_WORD.search(text)
    if not first:
        return text
    return text[: first.start()] + _SECRET_WORD.sub(_kept_word, text[first.start() :])


_ADDRESS_WORD = re.compile(
    r"(?:[a-z][a-z0-9+.-]+:|(?<![^\s\"'(\[<=,]))//\S*?(?=[\"')\]>.,:;!?]*(?:\s|$))", re.IGNORECASE
)
_MISTYPED_WORD = re.compile(rf"(?<![^\s\"'(\[<=,])(?:{_MISTYPED.pattern})", re.IGNORECASE)
_SECRET_WORD = re.compile(
    rf"(?P<address>{_ADDRESS_WORD.pattern})|(?P<login>(?<![^\s\"'(\[])[^\s/@\"'(\[][^\s@]*@\S*)"
    r"|(?P<query>[?&#;][\w.~-]+=\S*)",
    re.IGNORECASE,
)


def _hidden_word(found: re.Match[str]) -> str:
    word = found.group()
    if has_address(word) or (word.startswith("//") and "@" in word):
        return word  # cleaned as an address
    return f"{(found['scheme'] or found['other'] or '').lower()}(hidden)"


def _kept_word(found: re.Match[str]) -> str:
    word = found.group()
    if found["address"] is None:
        return "" if found["query"] else "(hidden)"
    if word.startswith("//"):  # of the scheme of the page that it stands in
        return without_secrets(f"https:{word}").removeprefix("https:") if "@" in word else word
    return without_secrets(word)


def plain_words(text: str, address: str) -> str:
    """Return what another library says about an address, in plain words only.

    A word that may be part of an address is replaced by an ellipsis: other libraries quote addresses, those of
    redirections too, in ways of their own. So is each part of the address itself that may be secret.

    >>> plain_words("HTTP Error 403: cannot open 'page?token=1' (caused by hush)", "https://host/page?token=hush")
    'HTTP Error 403: cannot open … (caused by …)'
    """
    secret = _secret_words(address)
    words = [word if _is_plain(word, secret) else _without_core(word) for word in text.split()]
    return re.sub(r"(… ?)+(?=…)", "", " ".join(words))


_PLAIN = re.compile(r"[\"'(\[]*(?:[A-Za-z]+(?:['\u2019/-][A-Za-z]+)*|[0-9]{1,4})[\"')\].,:;!?]*|-|…")
_CORE = re.compile(r"^([\"'(\[]*).*?([\"')\].,:;!?]*)$", re.DOTALL)


def _is_plain(word: str, secret: frozenset[str]) -> bool:
    bare = word.lower()
    return bool(_PLAIN.fullmatch(word)) and not any(part in bare for part in secret)


def _without_core(word: str) -> str:
    found = _CORE.match(word)
    before, after = found.groups() if found else ("", "")
    return f"{before.replace(chr(39), '')}…{after.replace(chr(39), '')}"


def _secret_words(address: str) -> frozenset[str]:
    """Return the words of an address that are not kept, in small letters; a word of one letter says nothing."""
    kept = {*re.findall(r"\w+", without_secrets(address).lower())}
    words = {*re.findall(r"\w+", f"{address} {unquote(address)}".lower())}
    return frozenset(word for word in words - kept if len(word) > 1)
