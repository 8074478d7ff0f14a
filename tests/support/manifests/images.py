"""Images built, looked into and run without a container engine: by buildah, as root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.manifests.pods import MOUNTS, ROOT

TOOLS = ("buildah", "mmdebstrap", "unshare", "chroot")
CACHE = Path.home() / ".cache" / "ordermill-images"
"""The base and what pip downloads are kept over runs; the images aren't."""
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
BASE = "localhost/ordermill-base"
USER = 10001
SECONDS = 540
MERGED_USR = "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr"  # else perl is installed for it
LEFT_OUT = ("doc", "man", "locale")
READ_ONLY = f"""
mount --bind "$1" "$1"
mount --bind "$2" "$1{MOUNTS}"
mount --bind /proc "$1/proc"
mount --rbind /dev "$1/dev"
mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
mount -o remount,bind,ro "$1"
root=$1
chroot=$3
shift 3
exec "$chroot" --userspec={USER}:{USER} --groups={USER} "$root" "$@"
"""
"""What a container's runtime does with a root file system, as far as these tests look at it."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image of which a container is mounted: its configuration and its root file system."""

    config: Mapping[str, Any]
    size: int
    root: Path

    @property
    def environ(self) -> dict[str, str]:
        return dict(it.split("=", 1) for it in self.config["Env"])

    def argv(self, command: Sequence[str], mounts: Path) -> list[str]:
        """Return what runs *command* as the image's user, with *mounts* at /etc/ordermill."""
        chroot = shutil.which("chroot")  # the PATH of the image may lack its folder
        assert chroot
        private = ["unshare", "--mount", "--propagation", "private", "sh", "-eu", "-c", READ_ONLY]
        return [*private, "sh", str(self.root), str(mounts), chroot, *command]


@dataclass(frozen=True, slots=True)
class Buildah:
    """A store of images in a folder of its own."""

    folder: Path

    def __call__(self, *args: str) -> str:
        store = ["--root", str(self.folder / "store"), "--runroot", str(self.folder / "run")]
        return _output(["buildah", *store, "--storage-driver", "overlay", *args])

    def build(self, service: str) -> Image:
        """Build the image of a service, and mount a container of it."""
        tag = f"localhost/ordermill/{service}"
        pip = CACHE / "pip"
        pip.mkdir(parents=True, exist_ok=True)
        self(
            *("bud", "--quiet", "--isolation", "chroot", "--layers", "--pull-never"),
            *("--volume", f"{pip}:/root/.cache/pip"),
            *("--volume", "/etc/resolv.conf:/etc/resolv.conf:ro"),
            *("--build-arg", f"BASE={BASE}", "--build-arg", f"SERVICE={service}"),
            *("--file", str(ROOT / "deploy" / "images" / "Dockerfile"), "--tag", tag, str(ROOT)),
        )
        [found] = json.loads(self("images", "--json", tag))
        inspected = json.loads(self("inspect", "--type", "image", tag))
        root = Path(self("mount", self("from", "--pull-never", tag).strip()).strip())
        (root / MOUNTS.lstrip("/")).mkdir(exist_ok=True)
        size = _bytes(root)
        assert found["names"] == [f"{tag}:latest"]
        return Image(inspected["OCIv1"]["config"], size, root)

    def make_base(self) -> None:
        """Make a base of Debian's packages in the place of the one that the Dockerfile names."""
        container = self("from", "scratch").strip()
        self("add", "--quiet", container, str(_base_archive()), "/")
        # Whom this machine trusts: it may reach PyPI through a proxy of its own.
        self("add", "--quiet", container, AUTHORITIES, AUTHORITIES)
        self("config", "--env", f"PIP_CERT={AUTHORITIES}", container)
        self("commit", "--quiet", "--rm", container, BASE)


@contextmanager
def image_store(folder: Path) -> Iterator[Buildah]:
    """Yield a store with the base in it; all of it is gone afterwards, its mounts too."""
    missing = [it for it in TOOLS if not shutil.which(it)]
    assert not missing, f"{', '.join(missing)} is missing: apt-get install buildah mmdebstrap"
    assert os.geteuid() == 0, "images are built and run as root here"
    buildah = Buildah(folder)
    try:
        buildah.make_base()
        yield buildah
    finally:
        buildah("rm", "--all")
        buildah("rmi", "--all", "--force")
        shutil.rmtree(folder)


def owned_by_the_pod(mounts: Path) -> None:
    """Give files the owner and the mode that `fsGroup` and `defaultMode` give Secrets."""
    for path in [mounts, *mounts.rglob("*")]:
        os.chown(path, 0, USER)
        path.chmod(0o750 if path.is_dir() else 0o440)


def _base_archive() -> Path:
    archive = CACHE / "bookworm.tar"
    if not archive.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        draft = archive.with_suffix(f".{os.getpid()}.tar")
        without = [f"--dpkgopt=path-exclude=/usr/share/{it}/*" for it in LEFT_OUT]
        packages = "--include=usr-is-merged,python3,python3-venv,ca-certificates"
        lean = ["--variant=essential", '--aptopt=APT::Install-Recommends "false"', MERGED_USR]
        _output(["mmdebstrap", "--quiet", *lean, packages, *without, "bookworm", str(draft)])
        draft.rename(archive)
    return archive


def _bytes(folder: Path) -> int:
    """Return the bytes of all files, those with several names once."""
    found = {}
    for at, _, names in os.walk(folder):
        for name in names:
            status = Path(at, name).lstat()
            found[status.st_ino] = status.st_size
    return sum(found.values())


def _output(argv: list[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr[-3000:]}"
    return done.stdout
