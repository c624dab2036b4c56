import random
import re
import string
from base64 import urlsafe_b64encode
from hashlib import sha256
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings, strategies as st

from embed.errors import SourceError
from embed.sources.kept_addresses import plain_words, why_mistyped, why_unfit, without_addresses, without_secrets
from embed.sources.locations import id_of_address, require_address
from embed.sources.videos import Video, find_videos

MARK = "Qz7hush"
LETTERS_AND_DIGITS = string.ascii_letters + string.digits
WEB_TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
ANY = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=8)
SECRETS = st.builds(lambda before, after: f"{before}{MARK}{after}", ANY, ANY)
HOSTS = st.sampled_from(["host", "host.example:8080", "127.0.0.1:9000", "[2001:db8::1]:80", "www.youtube.com", "b.c"])
PATHS = st.sampled_from(["", "/", "/a.mp4", "/v/@me/video/1", "/a%20b/c.mkv", "/watch", "/x;v=1/a.mp4", "/a::b.mp4"])
SCHEMES = st.sampled_from(["https", "http", "HTTPS", "s3", "gs", "az", "ftp", "sftp", "memory"])
KEYS = st.sampled_from(["token", "X-Amz-Signature", "id", "v", "file", "name", "q", "k"])


ADDRESSES = st.one_of(
    st.builds(lambda s, h, p, x: f"{s}://user:{x}@{h}{p}", SCHEMES, HOSTS, PATHS, SECRETS),
    st.builds(lambda s, h, p, x: f"{s}://user:12/3{x}@{h}{p}", SCHEMES, HOSTS, PATHS, SECRETS),
    st.builds(lambda s, h, p, x: f"{s}://{quote(x, safe='')}@{h}{p}", SCHEMES, HOSTS, PATHS, SECRETS),
    st.builds(lambda s, h, p, k, x: f"{s}://{h}{p}?{k}={x}", SCHEMES, HOSTS, PATHS, KEYS, SECRETS),
    st.builds(lambda s, h, p, k, x: f"{s}://{h}{p}?a=1&{k}={quote(x)}", SCHEMES, HOSTS, PATHS, KEYS, SECRETS),
    st.builds(lambda s, h, k, x: f"{s}://{h}/a.mp4?&{k}={x}", SCHEMES, HOSTS, KEYS, SECRETS),
    st.builds(lambda s, h, m, x: f"{s}://{h}/v/a.MP4{m}{x}", SCHEMES, HOSTS, st.sampled_from("?#"), SECRETS),
    st.builds(lambda s, h, p, x: f"{s}://{h}{p}?{quote(x, safe='')}", SCHEMES, HOSTS, PATHS, SECRETS),
    st.builds(lambda h, p, x: f"https://{h}{p}?{x}", HOSTS, PATHS, SECRETS),
    st.builds(lambda h, p, x: f"https://{h}{p}#{x}", HOSTS, PATHS, SECRETS),
    st.builds(lambda h, p, x: f"https://{h}/x;jsessionid={quote(x, safe='')}{p}", HOSTS, PATHS, SECRETS),
    st.builds(lambda h, p, x: f"zip://a.mp4::https://user:{x}@{h}{p}?sig={x}", HOSTS, PATHS, SECRETS),
    st.builds(lambda h, p, x: f"a.zip::https://user:{x}@{h}{p}", HOSTS, PATHS, SECRETS),
    st.builds(lambda h, p, x: f"https://{h}/a.zip::https://user:{x}@{h}{p}", HOSTS, PATHS, SECRETS),
    st.builds(lambda h, p, x: f"https://{h}/wrapped/https://user:{x}@{h}{p}", HOSTS, PATHS, SECRETS),
    st.builds(lambda h, p, x: f"reference://::https://{h}{p}?fo={x}", HOSTS, PATHS, SECRETS),
)


@settings(deadline=None)
@given(ADDRESSES)
def test_no_secret_of_an_address_is_kept(address: str) -> None:
    video = Video(id_of_address(address), address)
    kept = [without_secrets(address), id_of_address(address), f"{video!r} {video.id} {video.location}"]
    try:
        require_address(address)
    except SourceError as error:
        kept.append(str(error))
    assert MARK not in " ".join(kept)


@settings(deadline=None)
@given(ADDRESSES)
def test_what_is_kept_of_an_address_is_kept_as_it_is(address: str) -> None:
    assert without_secrets(without_secrets(address)) == without_secrets(address)


@settings(deadline=None)
@given(
    ADDRESSES,
    st.sampled_from(
        [
            "Unsupported URL: {}",
            "[generic] {} (caused by <HTTPError 404: Not Found>)",
            "Unable to open '{}': refused",
            'cannot read "{}".',
            "<urlopen {}>",
        ]
    ),
    st.sampled_from([str, quote, repr]),
)
def test_no_secret_is_in_the_words_of_another_library(address: str, text: str, written: object) -> None:
    assert callable(written)
    assert MARK not in plain_words(text.format(written(address)), address)


@settings(deadline=None)
@given(st.from_regex(r"[A-Za-z0-9_-]{4,40}", fullmatch=True))
def test_a_part_of_an_address_alone_is_not_in_the_words_either(secret: str) -> None:
    address = f"https://user:{secret}@host/page?token={secret}"
    said = plain_words(f"{secret}: token {secret} is not valid ({secret}).", address)
    assert not re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", said)


@pytest.mark.parametrize(
    "text",
    [
        "Video unavailable. This video is private",
        "HTTP Error 403: Forbidden",
        "Sign in to confirm you\u2019re not a bot.",
    ],
)
def test_plain_words_of_a_library_stay(text: str) -> None:
    assert plain_words(text, "https://host/page?token=hush") == text


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://host/a.mp4", "https://host/a.mp4"),
        ("HTTPS://Host:8443/A.mp4", "https://Host:8443/A.mp4"),
        ("https://www.tiktok.com/@someone/video/1?lang=en", r"https://www.tiktok.com/@someone/video/1\?~[0-9a-f]{12}"),
        ("https://youtu.be/dQw4w9WgXcQ?si=hush", "https://youtu.be/dQw4w9WgXcQ"),
        ("https://m.youtube.com/watch?list=hush&v=dQw4w9WgXcQ", r"https://m.youtube.com/watch\?v=dQw4w9WgXcQ"),
        ("https://notyoutube.com/watch?v=dQw4w9WgXcQ", r"https://notyoutube.com/watch\?~[0-9a-f]{12}"),
        ("s3://bucket/what? #3;x.mp4", r"s3://bucket/what\? #3;x.mp4"),
        ("s3://bucket/a.mp4?&sig=hush", r"s3://bucket/a.mp4(\?~[0-9a-f]{12})?"),
        ("az://bucket/a.mp4?sv=1&/&sig=hush", r"az://bucket/a.mp4\?~[0-9a-f]{12}"),
        ("gs://bucket/a.mp4?hush", r"gs://bucket/a.mp4\?~[0-9a-f]{12}"),
        ("gs://bucket/clip?hush", r"gs://bucket/clip\?~[0-9a-f]{12}"),
        ("s3://bucket/#1/a?b/", "s3://bucket/#1/a\\?b/"),
        ("file:///x/%2A.mp4", "file:///x/%2A.mp4"),
        ("FILE://localhost/x/a b.mp4?hush", "FILE://localhost/x/a b.mp4"),
        ("file://me:hush@host/a.mp4", r"file://\(hidden\)"),
        ("file:///x/https://me:hush@host/a.mp4", r"file://\(hidden\)"),
        ("s3://bucket/a.mp4?versionId=hush", r"s3://bucket/a.mp4\?~[0-9a-f]{12}"),
        ("s3://key:hush@bucket/a.mp4", "s3://bucket/a.mp4"),
        ("abfss://videos@account.dfs.core.windows.net/a.mp4", "abfss://videos@account.dfs.core.windows.net/a.mp4"),
        ("https://[2001:db8::1]/a.mp4", r"https://\[2001:db8::1\]/a.mp4"),
        ("videos/a b?.mp4", r"videos/a b\?.mp4"),
    ],
)
def test_what_names_the_video_is_kept(address: str, kept: str) -> None:
    assert re.fullmatch(kept, without_secrets(address))
    assert why_unfit(address) is None or not address.startswith(("http", "s3"))


def test_links_that_differ_only_in_their_query_are_two_videos() -> None:
    first, second = (id_of_address(f"https://host/download?item={item}&token=hush") for item in (1, 2))
    assert first != second


@pytest.mark.parametrize("name", ["X-Amz-Signature", "Expires", "sig", "token", "access_token", "X-Goog-Date", "se"])
def test_a_link_that_is_signed_again_is_the_same_video(name: str) -> None:
    first, second = (id_of_address(f"https://host/a.mp4?item=1&{name}={value}") for value in (1, 2))
    assert first == second


@pytest.mark.parametrize(
    "address",
    [
        *("local:///etc/passwd", "memory://a.mp4", "reference://a", "gopher://host/a.mp4", "sftp://host/a.mp4"),
        *("zip://a.mp4::https://host/x.zip", "https://host/a.zip::https://other/b", "a.mp4::https://host/x.zip"),
        *("https://user:pa/ss@host/a.mp4", "https://user:p@ss/w@host/a.mp4", "https://ho st/a", "https:///a.mp4"),
        *("https://host\\@other/a.mp4", "https://host:port/a.mp4", "<https://host/a.mp4>"),
    ],
)
def test_an_address_that_is_not_on_the_list_is_refused(address: str) -> None:
    with pytest.raises(SourceError, match="The address"):
        require_address(address)


@pytest.mark.parametrize("address", ["https://host/c%00.mp4", "http://host/%00/a.mp4?sig=1", "s3://bucket/c\0.mp4"])
def test_an_address_with_a_nul_is_refused_as_a_list_with_one_is(address: str) -> None:
    with pytest.raises(SourceError, match=r"has a NUL \(%00\) in its path"):
        require_address(address)


def test_bytes_that_are_no_utf_8_give_different_videos() -> None:
    assert id_of_address("https://host/c%FF.mp4") != id_of_address("https://host/c%FE.mp4")


TOKENS = st.one_of(
    st.binary(min_size=12).map(
        lambda payload: f"{WEB_TOKEN}.{urlsafe_b64encode(payload).decode().rstrip('=')}.Et9HFtf9"
    ),
    st.from_regex(r"[A-Za-z0-9]{6,20}", fullmatch=True).map(
        lambda secret: f"exp=17~acl=/*~hmac={secret}".replace("/", "%2F")
    ),
    st.from_regex(r"[A-Za-z0-9]{6,20}", fullmatch=True).map(lambda secret: f"access_token={secret}"),
)
AROUND = st.sampled_from(["{}/a.mp4", "dl/{}/a.mp4", "v/{}", "{}/", "dl/{}/{}/a.mp4"])


@settings(deadline=None, max_examples=300)
@given(TOKENS, AROUND, st.sampled_from(["https", "s3", "gs"]))
def test_no_token_in_a_path_is_kept(token: str, around: str, scheme: str) -> None:
    address = f"{scheme}://host/{around.replace('{}', token)}"
    kept = without_secrets(address)
    assert not {token, unquote(token)} & {*kept.split("/"), *id_of_address(address).split("/")}
    assert max(len(part) for part in kept.split("/")) <= 13
    assert without_secrets(kept) == kept


@pytest.mark.parametrize(
    ("alphabet", "length", "share"),
    [("", 22, 0.96), ("", 32, 0.99), ("", 64, 0.99), ("-_", 32, 0.94), ("-_", 43, 0.98), ("-_", 86, 0.99)],
)
def test_nearly_no_text_at_random_is_kept_in_a_path(alphabet: str, length: int, share: float) -> None:
    letters = random.Random(length)
    tokens = ["".join(letters.choices(f"{LETTERS_AND_DIGITS}{alphabet}", k=length)) for _ in range(1000)]
    for before in ("", "bot123456:", "t="):
        kept = [without_secrets(f"https://host/dl/{before}{token}/a.mp4") for token in tokens]
        assert sum(token not in place for token, place in zip(tokens, kept, strict=True)) >= share * len(tokens)


@settings(deadline=None)
@given(TOKENS, TOKENS, AROUND)
def test_two_tokens_in_a_path_are_two_videos(one: str, other: str, around: str) -> None:
    first, second = (id_of_address(f"https://host/{around.replace('{}', token)}") for token in (one, other))
    assert (first == second) == (one == other)


@pytest.mark.parametrize(
    "path",
    [
        *("UCF101/v_ApplyEyeMakeup_g01_c01/frames", "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi"),
        *("kinetics/dQw4w9WgXcQ_000010_000020.mp4", "videos/550e8400-e29b-41d4-a716-446655440000/video.mp4"),
        *("sha/9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08/a", "session=12/user=bob/e=3/a.mp4"),
        *("MyHolidayVideo2023InBarcelona/Part1", "2023-01-05T10-20-30Z_Camera12/a.mp4", "01ARZ3NDEKTSV4RRFFQ69G5FAV/a"),
        *("HACS_v1.1.1/Playing_field_hockey/0001", "Something-Something-V2/20BN-SSV2-Videos/1234.webm", "@me/video/7"),
        *("EPIC-KITCHENS-100/P01/P01_01_frame_0000012345", "DJI_20230105102030_0001_V.MP4", "GOPR0001/GX010042.MP4"),
    ],
)
def test_parts_of_a_path_that_name_the_video_stay(path: str) -> None:
    assert without_secrets(f"https://host/{path}") == f"https://host/{path}"


def test_a_session_in_a_path_does_not_count_and_another_parameter_does() -> None:
    one, other = (id_of_address(f"https://host/a;jsessionid={number}/b.mp4") for number in (1, 2))
    assert one == other == "a/b.mp4"
    one, other = (id_of_address(f"https://host/a;page={number}/b.mp4") for number in (1, 2))
    assert one != other


def test_links_whose_hashes_begin_with_the_same_eight_digits_are_different_videos() -> None:
    first, seen = dict[bytes, str](), set[str]()
    for query in (f"item={number}" for number in range(300_000)):
        digits = sha256(repr([tuple(query.split("="))]).encode()).digest()[:4]
        if digits in first:
            seen |= {first[digits], query}
        first[digits] = query
    assert len(seen) > 2
    assert len({id_of_address(f"https://host/download?{query}") for query in seen}) == len(seen)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("see //me:hush@host/a?token=hush for it", "see //host/a for it"),
        ("('//hush@host')", "('//host')"),
        ("https://host/my clip.mp4?token=hush#hush is gone", "https://host/my clip.mp4 is gone"),
        ("https://me:pa hush@host/a.mp4 is gone", "https://(hidden) (hidden) is gone"),
        ("https://host/a b.mp4&sig=hush and http://host/c?sig=hush", "https://host/a b.mp4 and http://host/c"),
        ("/videos/a@b.mp4?x=1 has no address before it", "/videos/a@b.mp4?x=1 has no address before it"),
        ("https://host/a.mp4 and /videos/a@b.mp4", "https://host/a.mp4 and /videos/a@b.mp4"),
        ("http:/me:hush@h/a.mp4?token=hush is no path", "http(hidden) is no path"),
        ("'https//me:hush@h' and https:\\\\me:hush@h", "'https(hidden) and https(hidden)"),
        ("(HTTPS : //me:hush@h/a.mp4)", "(https(hidden)"),
        ("magnet:?xt=hush", "magnet(hidden)"),
        (
            "store: /videos/a.mp4, rows: 3, https: or s3:// and 12:30",
            "store: /videos/a.mp4, rows: 3, https: or s3:// and 12:30",
        ),
        ("//server/share/a.mp4 stays", "//server/share/a.mp4 stays"),
    ],
)
def test_what_stands_behind_an_address_is_cleaned_too(text: str, kept: str) -> None:
    assert without_addresses(text) == kept


@settings(deadline=None)
@given(ADDRESSES.map(lambda address: "".join(address.split())))
def test_no_secret_is_in_a_text_with_an_address(address: str) -> None:
    assert MARK not in without_addresses(f"see {address}")


SLIPS = st.builds(
    lambda scheme, slip, login, path: f"{scheme}{slip}{login}{path}",
    st.sampled_from(["http", "HTTPS", "s3", "gs", "az", "ftp", "magnet"]),
    st.sampled_from([":/", "//", ":\\", ":\\\\", ";//", " : //", ": //", " //", ":"]),
    st.sampled_from(["", "me:{}@"]),
    st.sampled_from(["host/a.mp4?token={}", "host\\a.mp4?{}", "host/?&sig={}", "host/a.mp4#{}"]),
)
WITHOUT_SCHEME = st.sampled_from(
    ["//me:{}@host/a.mp4", "\\\\me:{}@host\\a.mp4", "me:{}@host/a.mp4", "gopher:/me:{}@host/a", "data:?{}"]
)


@settings(deadline=None, max_examples=200)
@given(SLIPS | WITHOUT_SCHEME, SECRETS.map(lambda text: quote(text, safe="!$*+~&=?#;")))
def test_no_secret_of_a_mistyped_address_is_kept(shape: str, secret: str) -> None:
    address = shape.replace("{}", secret)
    assert why_mistyped(address)
    with pytest.raises(SourceError, match=r"Write an address as https://host/a.mp4") as refused:
        find_videos([address])
    assert MARK not in str(refused.value)
    assert MARK not in without_addresses(f"see {address}") + without_addresses(f"cannot read '{address}'.")


def test_a_text_is_cleaned_of_the_addresses_in_it() -> None:
    said = without_addresses("see https://me:hush@host/a?token=hush#hush and s3://a/b for it")
    assert said == "see https://host/a and s3://a/b for it"
