"""`serve-videos`."""

from pathlib import Path
from typing import Any

import click

from classify.cli.options import LABEL_OPTIONS, labels_of_a_head, take_labels
from embed.cli import Command, FiniteRange, echo, option

_NETWORK, _UPLOADS, _MACHINE = "Network", "Uploads", "Machine"
_MIB, _GIB = 1 << 20, 1 << 30


@click.command(cls=Command, guide="page.md", when_stopped="What was corrected is stored.")
@click.argument("head", type=click.Path(path_type=Path))
@option("--store", required=True, metavar="FILE", type=click.Path(path_type=Path), help="The store of the collection.")
@option("--no-browser", is_flag=True, help="Do not open the page in a browser.")
@labels_of_a_head
@option(
    "--port",
    group=_NETWORK,
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    metavar="N",
    help="Port to listen on; 0 takes a free one.",
)
@option(
    "--host",
    group=_NETWORK,
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Address to listen on. 0.0.0.0 lets other machines in, which needs --token.",
)
@option(
    "--token",
    group=_NETWORK,
    envvar="FRAMEHEAD_TOKEN",
    metavar="SECRET",
    help="What visitors must know. Other users of this machine see what is typed: set FRAMEHEAD_TOKEN instead.",
)
@option(
    "--host-name",
    "host_names",
    group=_NETWORK,
    multiple=True,
    metavar="NAME",
    help="A further name under which the server is reached, as behind a proxy. May be repeated.",
)
@option(
    "--upload-limit",
    group=_UPLOADS,
    default=512,
    show_default=True,
    type=click.IntRange(1),
    metavar="MIB",
    help="Largest file that may be uploaded.",
)
@option(
    "--duration-limit",
    group=_UPLOADS,
    default=3600.0,
    show_default=True,
    type=FiniteRange(0, min_open=True),
    metavar="SECONDS",
    help="Longest video that may be uploaded.",
)
@option(
    "--queue",
    "waiting",
    group=_UPLOADS,
    default=32,
    show_default=True,
    type=click.IntRange(1),
    metavar="N",
    help="Uploads that may wait or be worked on at once. Others are asked to come back.",
)
@option(
    "--timeout",
    "timeout_s",
    group=_UPLOADS,
    default=120.0,
    show_default=True,
    type=FiniteRange(0, min_open=True),
    metavar="SECONDS",
    help="Longest time for decoding one upload.",
)
@option(
    "--memory-limit",
    group=_UPLOADS,
    default=2.0,
    show_default=True,
    type=FiniteRange(0, min_open=True),
    metavar="GIB",
    help="Most memory for decoding one upload.",
)
@option(
    "--workers",
    group=_UPLOADS,
    type=click.IntRange(1),
    metavar="N",
    help="Uploads decoded at once.  [default: one per core, at most 4]",
)
@option("--device", group=_MACHINE, default="auto", show_default=True, metavar="NAME", help="auto, cpu or cuda.")
@option(
    "--pretrained",
    group=_MACHINE,
    metavar="FILE",
    help="The checkpoint file of the head's encoder, if it has moved since the head was trained.",
)
@click.version_option(package_name="framehead", help="Show the version.")
def serve_videos(head: Path, no_browser: bool, host_names: tuple[str, ...], **options: Any) -> None:
    """Show a collection as a page: tag uploads, look, search and correct, with the trained HEAD.

    The page and its API are for this machine alone unless --host says otherwise. Nothing is asked of another host.
    Corrections are kept in one SQLite file beside the store.

    \b
    serve-videos head/ --store embeddings.h5
    FRAMEHEAD_TOKEN=... serve-videos head/ --store embeddings.h5 --host 0.0.0.0
    """  # noqa: D301 (click wants a real backspace)
    from classify.web import ServeConfig, UploadLimits, check_web_packages, serve_videos

    check_web_packages()
    is_labelled = any(options[name] for name in LABEL_OPTIONS if name in options)
    labels = take_labels(options)
    limits = UploadLimits(
        upload_bytes=options.pop("upload_limit") * _MIB,
        duration_s=options.pop("duration_limit"),
        memory_bytes=int(options.pop("memory_limit") * _GIB),
        **{name: options.pop(name) for name in ("waiting", "timeout_s", "workers")},
    )
    config = ServeConfig(head, host_names=host_names, limits=limits, labels=labels if is_labelled else None, **options)
    serve_videos(
        config,
        opens_browser=not no_browser,
        on_start=lambda address: echo(f"Serving {config.store} at {address} (Ctrl-C stops it)", err=True),
    )
