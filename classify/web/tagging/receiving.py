"""Receive the files of a multipart form, straight into files of ours, and refuse early what is too much.

Nothing of a form but the parts called `file` is kept, and of their names only what people are shown.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, final

from anyio import to_thread
from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from classify.web.answers import ApiError
from classify.web.config import UploadLimits
from classify.web.media import SNIFFED_BYTES, kind_of
from classify.web.tagging.jobs import Upload

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_FIELD = "file"
_OVERHEAD_BYTES = 64 << 10  # of boundaries, headers and small fields
_LONGEST_NAME, _MOST_HEADER_BYTES = 200, 8 << 10
_SLOWEST_BYTES_S = 4 << 10  # over a whole upload, once it has lasted for the time that it may stand still
_WRITTEN_AT_ONCE = 1 << 20


async def receive_files(request: Request, folder: Path, limits: UploadLimits) -> list[Upload]:
    """Return the files of a form, which lie in a folder under names of ours.

    Args:
        request: its body has not been read.
        folder: where to write them.
        limits: what is too much.

    Raises:
        ApiError: the body is no form, has no file or too many, one is too large or no video, or it came too slowly.
            Nothing is left in the folder.
    """
    form = _Form(_boundary_of(request), folder, limits)
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated[:20]) > limits.files * limits.upload_bytes + _OVERHEAD_BYTES:
        raise too_large(limits)
    try:
        async for chunk in _in_time(request, limits):
            form.take(chunk)
            if form.waiting_bytes > _WRITTEN_AT_ONCE:
                await to_thread.run_sync(form.write)
        await to_thread.run_sync(form.write)
        return form.finish()
    except MultipartParseError as error:
        form.discard()
        raise _no_form() from error
    except BaseException:
        form.discard()
        raise


async def _in_time(request: Request, limits: UploadLimits) -> AsyncIterator[bytes]:
    """Yield a body, if it comes in time.

    Raises:
        ApiError: it stands still, trickles, or ends early.
    """
    chunks, loop = request.stream().__aiter__(), asyncio.get_running_loop()
    began, received = loop.time(), 0
    while True:
        try:
            async with asyncio.timeout(limits.idle_s):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise _too_slow(limits) from None
        except ClientDisconnect:
            raise ApiError(400, "cut_off", "The upload ended before it was complete. Send it again.") from None
        received += len(chunk)
        lasted = loop.time() - began
        if lasted > limits.idle_s and received < _SLOWEST_BYTES_S * lasted:
            raise _too_slow(limits)
        yield chunk


@final
class _Form:
    """Takes the chunks of a form, and has its files.

    Args:
        boundary: what parts them.
        folder: where files are written.
        limits: what is too much.
    """

    def __init__(self, boundary: bytes, folder: Path, limits: UploadLimits) -> None:
        self._folder, self._limits = folder, limits
        self._header_name, self._header_value, self._header_bytes = b"", b"", 0
        self._disposition = b""
        self._uploads: list[Upload] = []
        self._open: IO[bytes] | None = None
        self._buffers: list[bytes] = []
        self._size = self._other_bytes = 0
        self.waiting_bytes = 0
        self._parser = MultipartParser(boundary, self._callbacks())

    def _callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._take_header_name,
            "on_header_value": self._take_header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._begin_content,
            "on_part_data": self._take_content,
            "on_part_end": self._end,
        }

    def take(self, chunk: bytes) -> None:
        """Take a chunk."""
        self._parser.write(chunk)

    def write(self) -> None:
        """Write what was taken."""
        buffers, self._buffers, self.waiting_bytes = self._buffers, [], 0
        if self._open is not None:
            self._open.writelines(buffers)

    def finish(self) -> list[Upload]:
        """Return the files, if there are any and all are whole."""
        self._parser.finalize()
        if self._open is not None:
            raise MultipartParseError("the last part has no end")
        if not self._uploads:
            raise ApiError(422, "no_file", f"The form has no file. Send each as a field called {_FIELD!r}.")
        return self._uploads

    def discard(self) -> None:
        """Delete what was received."""
        if self._open is not None:
            self._open.close()
        for upload in self._uploads:
            upload.path.unlink(missing_ok=True)

    def _begin(self) -> None:
        self._disposition, self._header_bytes = b"", 0

    def _take_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]
        self._count_header(end - start)

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]
        self._count_header(end - start)

    def _count_header(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > _MOST_HEADER_BYTES:
            raise _no_form()

    def _end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name = self._header_value = b""

    def _begin_content(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._size = 0
        if options.get(b"name") != _FIELD.encode() or b"filename" not in options:
            return
        if len(self._uploads) == self._limits.files:
            raise ApiError(
                413, "too_many_files", f"A form may have {self._limits.files} files. Send the others on their own."
            )
        path = self._folder / secrets.token_hex(16)
        self._uploads.append(Upload(_shown_name(options[b"filename"]), path))
        self._open = path.open("xb")

    def _take_content(self, data: bytes, start: int, end: int) -> None:
        if self._open is None:
            self._other_bytes += end - start
            if self._other_bytes > _OVERHEAD_BYTES:
                raise _no_form()
            return
        self._size += end - start
        if self._size > self._limits.upload_bytes:
            raise too_large(self._limits)
        self._buffers.append(data[start:end])
        self.waiting_bytes += end - start

    def _end(self) -> None:
        if self._open is None:
            return
        self.write()
        self._open.close()
        self._open = None
        upload = self._uploads[-1]
        with upload.path.open("rb") as file:
            if kind_of(file.read(SNIFFED_BYTES)) is None:
                raise ApiError(
                    415,
                    "no_video",
                    f"{upload.name} is {'empty' if not self._size else 'not a video, whatever its name says'}. Send a "
                    "file that plays, such as MP4, WebM, MKV, MOV or AVI.",
                )


def too_large(limits: UploadLimits) -> ApiError:
    """Return that a file is too large."""
    return ApiError(
        413,
        "too_large",
        f"A file may have {limits.upload_bytes / (1 << 20):,.4g} MiB. Cut it or make it smaller; or start serve-videos "
        "with a larger --upload-limit.",
    )


def _too_slow(limits: UploadLimits) -> ApiError:
    return ApiError(
        408,
        "too_slow",
        f"The upload stood still for {limits.idle_s:g} s, or nearly. Send it again when the line is free.",
    )


def _no_form() -> ApiError:
    return ApiError(
        400, "no_form", f"The body is no multipart form with files. Send each as a field called {_FIELD!r}."
    )


def _boundary_of(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= 200:
        raise _no_form()
    return boundary


def _shown_name(given: bytes) -> str:
    r"""Return a file's name as people are shown it: without folders and control characters.

    >>> _shown_name(b"../../etc/passwd"), _shown_name(b"C:\\x\\a\n.mp4"), _shown_name(b"")
    ('passwd', 'a.mp4', 'video')
    """
    text = given.decode("utf-8", "replace").replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(sign for sign in text if sign.isprintable())[:_LONGEST_NAME].strip() or "video"
