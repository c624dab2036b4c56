"""Moments as text for people."""

from collections.abc import Sequence

from classify.classifier import Prediction
from embed.machine import shown

_SHOWN = 100  # videos; a file has them all
_HOW = {
    "exact": "exact: what the head says of each moment alone, whose mean is what it says of the video",
    "attention": "by attention: what the head says of each moment alone, times how much it looks at it",
    "occlusion": "by occlusion: what changes if a moment is taken out, or left alone",
}


def clock_text(seconds: float) -> str:
    """Return a moment as minutes and seconds, with hours if there are some.

    >>> clock_text(65.4), clock_text(3_725), clock_text(0.96)
    ('1:05', '1:02:05', '0:00')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def moments_text(videos: Sequence[Prediction]) -> str:
    """Return the moments of videos, one a line, and how they were found."""
    lines = []
    for video in videos[:_SHOWN]:
        lines.append(shown(video.location or video.video_id))
        for own in video.moments:
            span = f"{clock_text(own.start_s)}-{clock_text(own.end_s)}"
            lines.append(f"  {span:>13}  {own.score:.2f} at {clock_text(own.best_s)}  {shown(own.label)}")
    if len(videos) > _SHOWN:
        lines.append(f"... and {len(videos) - _SHOWN:,} more videos: -o FILE writes them all")
    hows = dict.fromkeys(video.how for video in videos if video.how)
    return "\n".join([*lines, *(f"Moments are {_HOW[how]}." for how in hows)])
