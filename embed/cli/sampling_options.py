"""The options of `embed-videos` that choose frames or clips of frames, and the rule that they describe."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeVar, final

import click

from embed.cli.command import EVERYBODY, FiniteRange, option

if TYPE_CHECKING:
    from embed.video import Sampling

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])

UNIFORM = "uniform"
_WINDOW = 16  # of a model whose own is not known before it is loaded
_SECONDS = re.compile(r"(\d+(?:\.\d+)?|\.\d+) *(ms|s)?")
_ROW_B = "--clip-frames 16 --clip-stride auto --clips-count 1 --first-seconds 10"


@final
class Seconds(click.ParamType[float]):
    """A length of time above 0: `4`, `4s` or `500ms`."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number of seconds."""
        found = _SECONDS.fullmatch(str(value).strip().lower())
        seconds = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else 0.0
        if not seconds:
            self.fail(f"{value!r} is no length of time above 0. Write 4s, 0.5s or 500ms.", param, ctx)
        return seconds


@final
class Stride(click.ParamType[int | str]):
    """A number of frames, or `auto`."""

    name = "stride"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> "int | str":
        """Read the number of frames."""
        return "auto" if str(value).lower() == "auto" else int(click.IntRange(1).convert(value, param, ctx))


_OPTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "--sampling",
        EVERYBODY,
        {
            "default": UNIFORM,
            "show_default": True,
            "type": click.Choice([UNIFORM, "keyframes", "fps"]),
            "help": "uniform: evenly spaced frames. keyframes: the key frames nearest to them, many times faster. fps: "
            "--fps frames per second.",
        },
    ),
    (
        "--frames-count",
        EVERYBODY,
        {
            "setting": "frame_count",
            "metavar": "N",
            "type": click.IntRange(1),
            "help": "Frames per video, at most.  [default: 100; with --sampling fps: no limit]",
        },
    ),
    (
        "--fps",
        "Frames",
        {
            "metavar": "N",
            "type": FiniteRange(0, min_open=True),
            "help": "Frames per second, with --sampling fps.  [default: 1]",
        },
    ),
    (
        "--first-seconds",
        "Frames",
        {
            "metavar": "SECONDS",
            "type": FiniteRange(0, min_open=True),
            "help": "Embed only the first seconds of each video.",
        },
    ),
    (
        "--clip-frames",
        "Clips",
        {
            "metavar": "W",
            "type": click.IntRange(1),
            "help": "Frames behind one vector, for models of clips such as mvit_v2_s.  [default: the model's own; "
            "16 for most]",
        },
    ),
    (
        "--clip-stride",
        "Clips",
        {
            "metavar": "N",
            "type": Stride(),
            "help": "Frames from one frame of a clip to its next; auto spreads each clip over its part of the video.  "
            "[default: auto]",
        },
    ),
    (
        "--clips-count",
        "Clips",
        {
            "metavar": "N",
            "type": click.IntRange(1),
            "help": "Clips per video, at most.  [default: 8; with a stride in frames: as many as cover the video]",
        },
    ),
    (
        "--window",
        "Clips",
        {
            "metavar": "TIME",
            "type": Seconds(),
            "help": "Length of a clip in time, such as 4s, in place of --clip-stride and --clips-count.",
        },
    ),
    (
        "--stride",
        "Clips",
        {
            "metavar": "TIME",
            "type": Seconds(),
            "help": "Time from the beginning of one window to that of the next.  [default: the window's length]",
        },
    ),
)


def sampling_options(command: _Decorated) -> _Decorated:
    """Add the options that choose frames to a command."""
    return reduce(_with_option, reversed(_OPTIONS), command)


def _with_option(command: _Decorated, described: tuple[str, str, dict[str, Any]]) -> _Decorated:
    name, group, settings = described
    return option(name, group=group, **settings)(command)


@dataclass(frozen=True)
class SamplingChoice:
    """The options as they were typed; None was not."""

    sampling: str
    frames_count: int | None
    fps: float | None
    first_seconds: float | None
    clip_frames: int | None
    clip_stride: int | str | None
    clips_count: int | None
    window: float | None
    stride: float | None

    def rule(self, model: str) -> "Sampling":
        """Return the rule that the options describe.

        Raises:
            UsageError: they contradict each other, or are for models of another kind.
        """
        from embed.encoders import foresee_preprocessing, foresee_window

        window = foresee_window(model)
        if self._are_clips():
            self._refuse_frames()
            if window == 1 and foresee_preprocessing(model):
                raise click.UsageError(
                    f"{model} encodes single frames, but {self._first_of_clips()} is for models of clips. Leave it "
                    "out, or choose one of these: --model mvit_v2_s."
                )
            return self._clips(self.clip_frames or (window if window > 1 else _WINDOW))
        if window == 1:
            return self._frames()
        self._refuse_frames(f"{model} encodes clips of {window} frames")
        return self._clips(window)

    def _are_clips(self) -> bool:
        return any(value is not None for value in self._of_clips().values())

    def _of_clips(self) -> dict[str, object]:
        return {
            "--clip-frames": self.clip_frames,
            "--clip-stride": self.clip_stride,
            "--clips-count": self.clips_count,
            "--window": self.window,
            "--stride": self.stride,
        }

    def _first_of_clips(self) -> str:
        return next(name for name, value in self._of_clips().items() if value is not None)

    def _refuse_frames(self, why: str | None = None) -> None:
        typed = {"--frames-count": self.frames_count, "--fps": self.fps}
        named = [name for name, value in typed.items() if value is not None]
        named += [f"--sampling {self.sampling}"] if self.sampling != UNIFORM else []
        if named:
            raise click.UsageError(
                f"{why or f'{self._first_of_clips()} chooses clips'}, but {named[0]} chooses single frames. Leave it "
                f"out, or choose clips: {_ROW_B}."
            )

    def _clips(self, window: int) -> "Sampling":
        from embed.video import AUTO, Clips, Windows

        if self.window is None and self.stride is not None:
            raise click.UsageError("--stride is the time between windows: name their length, too, such as --window 4s.")
        if self.window is None:
            return Clips(window, self.clip_stride or AUTO, self.clips_count, self.first_seconds)
        if self.clip_stride is not None or self.clips_count is not None:
            raise click.UsageError(
                "--window says in time what --clip-stride and --clips-count say in frames. Give one of the two."
            )
        return Windows(self.window, self.stride, window, self.first_seconds)

    def _frames(self) -> "Sampling":
        from embed.video import FramesPerSecond, KeyFrames, UniformFrames

        if self.fps is not None and self.sampling != "fps":
            raise click.UsageError(f"--fps is for --sampling fps, not for {self.sampling}.")
        if self.sampling == "fps":
            return FramesPerSecond(self.fps or 1.0, self.first_seconds, self.frames_count)
        rule = KeyFrames if self.sampling == "keyframes" else UniformFrames
        return rule(self.frames_count or 100, self.first_seconds)
