"""Which file systems are shown, and how full they are."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import psutil
import pytest

from forge_agent.core.choice import Choice
from forge_agent.sampling import mounts
from forge_agent.sampling.mounts import Mount, Room, mount_table, rooms_to_show, usage_of

USUAL = Choice()


def shown(table: list[Mount], choice: Choice = USUAL) -> list[str]:
    return [room.paths[0] for room in rooms_to_show(table, choice).values()]


def test_one_row_a_device_and_only_disks() -> None:
    table = [
        Mount("/dev/sda1", "/", "ext4", "rw"),
        Mount("/dev/sda1", "/var/lib/docker/bind", "ext4", "rw"),
        Mount("/dev/nvme0n1p2", "/data/deep", "xfs", "rw"),
        Mount("/dev/nvme0n1p2", "/data", "xfs", "rw"),
        Mount("/dev/mapper/vg-home", "/home", "btrfs", "rw,subvol=/@home"),
        Mount("/dev/mapper/vg-home", "/home/.snapshots", "btrfs", "rw,subvol=/@snapshots"),
        Mount("/dev/md0", "/raid", "ext4", "rw"),
        Mount("/dev/mmcblk0p1", "/boot", "vfat", "rw"),
        Mount("tank/home", "/tank/home", "zfs", "rw"),
        Mount("tank", "/tank", "zfs", "rw"),
        Mount("/dev/sdc1", "/media/ntfs", "fuseblk", "rw"),
        Mount("/dev/loop3", "/snap/core/1", "squashfs", "ro"),
        Mount("/dev/loop4", "/mnt/image", "ext4", "rw"),
        Mount("/dev/sr0", "/media/cdrom", "iso9660", "ro"),
        Mount("overlay", "/var/lib/docker/overlay2/x/merged", "overlay", "rw"),
        Mount("/dev/zram0", "/scratch", "ext4", "rw"),
    ]
    assert sorted(shown(table)) == [
        *("/", "/boot", "/data", "/home", "/media/ntfs", "/raid", "/tank")
    ]


@pytest.mark.parametrize(
    "fs_type",
    ["nfs", "nfs4", "cifs", "smb3", "smbfs", "afpfs", "fuse.sshfs", "9p", "ceph", "fuse.rclone"],
)
def test_network_mounts_are_left_out_by_their_type_whatever_psutil_lists(fs_type: str) -> None:
    table = [Mount("/dev/sda1", "/", "ext4", "rw"), Mount("nas:/data", "/mnt/nas", fs_type, "rw")]
    assert shown(table) == ["/"]


def test_a_container_shows_its_root() -> None:
    assert shown([]) == ["/"]
    assert shown([Mount("/dev/sdb1", "/data", "ext4", "rw")]) == ["/", "/data"]


def test_the_owner_chooses() -> None:
    table = [
        Mount("/dev/sda1", "/", "ext4", "rw"),
        Mount("/dev/sda1", "/srv", "ext4", "rw"),
        Mount("/dev/sdb1", "/backup", "ext4", "rw"),
        Mount("nas:/data", "/mnt/nas", "", "rw"),
        Mount("tmpfs", "/tmp", "", "rw"),  # noqa: S108
    ]
    assert shown(table) == ["/", "/backup"]
    assert shown(table, Choice(["!/backup"])) == ["/"]
    assert shown(table, Choice(["/mnt/nas"])) == ["/", "/backup", "/mnt/nas"]
    assert shown(table, Choice(["/srv", "/mnt/*", "!*"])) == ["/srv", "/mnt/nas"]
    assert shown(table, Choice(["!/"])) == ["/srv", "/backup"]  # the disk's other mount stays
    assert shown([], Choice(["!/"])) == []


def test_more_than_what_is_usual_is_listed_only_when_the_owner_names_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def disk_partitions(*, all: bool) -> list[SimpleNamespace]:  # noqa: A002 psutil's name
        asked.append(all)
        local = SimpleNamespace(device="/dev/sda1", mountpoint="/", fstype="ext4", opts="rw")
        away = SimpleNamespace(device="nas:/", mountpoint="/mnt", fstype="nfs4", opts="rw")
        return [local, away] if all else [local]

    asked: list[bool] = []
    monkeypatch.setattr(psutil, "disk_partitions", disk_partitions)
    assert [mount.path for mount in mount_table(everything=False)] == ["/"]
    assert asked == [False]
    assert shown(mount_table(everything=True)) == ["/"]
    assert shown(mount_table(everything=True), Choice(["/mnt"])) == ["/", "/mnt"]


# --- how full -----------------------------------------------------------------------------------


@pytest.fixture
def disks(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, int, int]]:
    """Total, used and free of each path; what is not in there is not mounted."""
    sizes: dict[str, tuple[int, int, int]] = {}

    def disk_usage(path: str) -> SimpleNamespace:
        if path not in sizes:
            raise FileNotFoundError(2, "No such file or directory", path)
        total, used, free = sizes[path]
        return SimpleNamespace(total=total, used=used, free=free)

    monkeypatch.setattr(psutil, "disk_usage", disk_usage)
    monkeypatch.setattr(mounts, "is_folder", lambda _: True)
    return sizes


def test_a_zfs_pool_is_the_sum_of_its_datasets(disks: dict[str, tuple[int, int, int]]) -> None:
    # Each dataset's total is its own use and what is free in the pool; one has a quota.
    disks |= {"/tank": (901, 1, 900), "/tank/media": (1900, 1000, 900), "/tank/tiny": (60, 10, 50)}
    table = [Mount(path[1:], path, "zfs", "rw") for path in ("/tank", "/tank/media", "/tank/tiny")]
    room = rooms_to_show(table, USUAL)["zfs tank"]
    assert usage_of(room) == ("/tank", 1911, 1011, 900)


def test_volumes_of_one_apfs_container_share_its_room(
    disks: dict[str, tuple[int, int, int]],
) -> None:
    disks["/"] = (1000, 40, 600)
    table = [
        Mount("/dev/disk3s3s1", "/", "apfs", "ro"),
        Mount("/dev/disk3s7", "/Volumes/More", "apfs", "rw"),
        Mount("/dev/disk5s2", "/Volumes/Old", "hfs", "rw"),
        Mount("/dev/disk5s3", "/Volumes/Older", "hfs", "rw"),
    ]
    rooms = rooms_to_show(table, USUAL)
    assert list(rooms) == ["/dev/disk3", "/dev/disk5s2", "/dev/disk5s3"]
    assert usage_of(rooms["/dev/disk3"]) == ("/", 1000, 400, 600)


def test_of_several_paths_the_first_folder_is_asked(
    disks: dict[str, tuple[int, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    disks |= {"/etc/hosts": (9, 9, 9), "/data": (5, 3, 2)}
    monkeypatch.setattr(mounts, "is_folder", lambda path: path == "/data")
    assert usage_of(Room(("/etc/hosts", "/data"))) == ("/data", 5, 3, 2)


def test_what_is_gone_or_not_ready_has_no_figures(disks: dict[str, tuple[int, int, int]]) -> None:
    assert usage_of(Room(("/gone",))) is None


def test_hundreds_of_mounts_of_one_device_are_not_all_asked() -> None:
    table = [Mount("/dev/sda1", f"/mnt/{number:03}", "ext4", "rw") for number in range(500)]
    assert len(rooms_to_show(table, USUAL)["/dev/sda1"].paths) == 64


def test_drives_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    table = [
        Mount("C:\\", "C:\\", "NTFS", "rw,fixed"),
        Mount("D:\\", "D:\\", "", "rw,removable"),
        Mount("E:\\", "E:\\", "", "cdrom"),
        Mount("X:\\", "X:\\", "NTFS", "rw,remote"),
    ]
    assert shown(table) == ["C:\\"]
