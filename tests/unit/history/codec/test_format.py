"""The format does not change: what was sealed long ago, by whatever machine, is read for ever.

The bodies below were written once and must go on decoding to the same numbers, here and on every
platform. A test that fails here says that histories on disk cannot be read any more: it is the code
that must be put right, never the bytes. A new format gets a new version, and bodies of its own.
How well the same numbers are packed today is another matter: packing may get better.
"""

from __future__ import annotations

import base64

import msgspec
import numpy as np

from forge_collector.history import codec
from forge_collector.history.buckets import Buckets
from forge_collector.history.codec import frame, tables
from forge_collector.history.codec.numbers import Grid
from forge_collector.history.columns import Columns
from tests.unit.history.codec import some_columns, test_sealed_buckets

STEP_MS = 600_000
ROWS = 48

COLUMNS = """
Aen0em1iAQAAKLUv/WDIAMUKAMbQQS0wWQejpaEn7DvAk8NU+RQL1/VgCiBhrcNh7DGGsEsvgfiIqHdYk6EqJbqZTAE0ADUA
NQCWqp6dgtLHnMQKuTb8mrxYJGJnFx9zdpoPeD6Ln/6Xwhzy6wHFx/+8vaz1x60NQ4CdR8kFKVcEEx03rI2d5f/ERzefjUKl
d7/FTpB8nKl1jpq/6GVN1zs8AWzOJQQr7Czrwrs5PIOLvRFc9bYtCnZLxt5orVCn1jqmnPhu4ZBrs0Iy14RvVRJTK9CYPmcL
4Qz2/4+btR88BTh+3amRKKnV6aFnxie2ySVKDbtFz5Ep8p0iqSANIIa5O5rEtkrYtWCyX5ezXsL+b9CyCTAXPh45lHIbIihA
AiMYzewg2uJmO3QB+YcxKh9Qx4KqyUVMDmztt4JJTBm0Co2OzDLalosRZhgo5KDN+xS/EMcMHMcXyrrrCI47i1ABk71X14Nf
dY4BAABlAAAgAAKxAgIAoMM3wAIDZkEAAACdAABQAAYAAAAAAAWtAAIAPzusunABu6AAAACBAQA3PDAzLzk6Ii05DT49MjY7
IDw4LTszMDgzPTw4OjE/IT06MzYBPDU5NCorNjw3Ai5yLbogbnJkiVLgf4wif5AI4KrXs3zN1OnXiICql0AAAIEBAABCOjU5
KzsqODwsOTpBRTUnNS07LD9CMy47BzsqOzIpLD4gMTQyNzJDKEMDNTg1MSpWHyLYqJFx4j9nnUQW0qpbZUvWlTHPae1AgdTW
KAAAPQEAAsMICxCVByMef4gortoGxfr8Jyty2tC1zkD+oI9z+3JAm1NEExYAkE34+CHY6TXYAACBAQAAOTg8OT0+OjUMQDgY
Mig5ODw2MzA3PDwuICY9Cz83MTEsOzssNzw4NzAzMzs9KTsjsrBsajo+NHmPhrSeBEt+v4oNi4y7Biq2vd1JjvAAAFUBAAKD
CQ6AbQ4geimDrDeBEzzZS3mj9HaAOrocWEI+zUqscIPfbHNOYzERAE3qmclIJOlJaSC6UKDUqSmuUVKqbJRHUkdeTeKypAAA
MQAA/8AP////AABlAAAgAAIeAgIAoMM3wALAAAANAQACQwcL4Okp7b0PAADgxQ7qpD/zO9meHlHQc92yVPU/EABtttttttrV
22222223EgAAAAAAAqf///////ygAAAAAAAfiSSSSSSRriSSSSSSSPSSSSSSSRW2222222zItttttttskkkkkkklNkkkkkkk
jbbbbbbbbe7bbbbbbcGpJJJJJJIT7bbbbbbbC22222225SSSSSSSRwUkkkkkkkqEkkkkkkktttttttz5JJJJJJJW7bbbbbbZ
AAAAAAAAC1ttttttttJJJJJJJIjAAAAAAAAKySSSSSSSJtttttttvkkkkkkkjrbbbbbbbvJJJJJJJHv///////8UAAAAAAAG
z///////98kkkkkkkmbbbbbbbXSSSSSSSSom2222222rAAAAAAAAXJJJJJJJHKSSSSSSSTCSSSSSSSTNbbbbbbbiIkkkkkkk
VbbbbbbbaqbbbbbbbaAAAK0AAGAAzczMy8vLy8rJyMgDEAAydpbJAX////////1VVVVVVVUVVVVVVVVOZmZmZmZmd3d3d3d3
Z55555556EkkkkkkkfHHHHHHHFYLYLYLYKw32sN9rDjJsmybJsmkGkGkGkHF+l+l+l+o1o1o1o1sEREREREQ+Hh4eHh4NR/K
dR/KN2RN2RN2SkYQKx2kXH7H7H7H6fTq8ZfTqtiJnNaDjFzA7XMDtadA2nQNpxBYOLa+nuanv9FSaoKf1Kf1Kfj8N3zY6AhX
GU5FcZIZUyGVMhoEIQhCEIP8HwfB8Hx0l4A6aPTtf8jtf8lmzmzmzmzgewDEzghaff9FjafU0KtbjU1PbPbPbPbKTWyk1spF
bR6f9nvAx5VnejA8WMLXaHS4HPYseg40ENG/MjWwMUISeMcse3YDoZaAAAAxAAAAAAAAAIA=
"""

BUCKETS = """
AYx6fpgXAgAAKLUv/WB2BG0QAGaTSS1AeQOH5NlA8yh9j8GqR5109Qh+eCqIGEvtG0FzSJDyxgss1Hw8QoPKQSjZKQU8ADwA
PgB/Gzwk7jDMX2Dii59yNCvewOoI3jRe1k1p8mb8Hfp4mL8+ncmaoFkaqFIRAVr49dLVwq1ZPk5h8kMr0VWatbca3rKcxFW3
uzvF39v3Fna5T3vag86ahu9H4teNRECe5egSH9Hcq6j70Y25cUXA/unq9tifPG6JzgEbZfmY1ailmgyAtWQt/OgqMG+flnzi
HvGrqMOrSaTG/fUhVWim0gxyuh+lgnsfaAuja1IxcTTGm7/WiR6fAl+A+AavdpeN4VGBQ9DfC2S0EHRAD39gO79GaT30iHhr
07fB7m3oA+tgcLLjZfCSeMXECTo3mXOTT8rw73qocT1kNDNJ6rQZoEQCOawDcoAoEXGidtGQ0sLiVDYOFyXs7nx95zt2SLZf
1YyjJyAxvOIpA+Dw0KpDBMB3a+2S1pArVqL/UOfb84b77LP7NftDozc65w4KdrtDHBpVuETSRRbcsdXxw+179tRN3d9O0SCf
c5G6OW7SpV8To0CjuHytwbquCRsIDSUCIApeGAzptM2Krxk6n9fqz8JlNOGi56B/zhKD+UCrnkPG6q99tFFk0lObpOTfSpZU
2tEWGfscOhxxtpBsh2YzUyLcT9Vy32HBRI37OAQMDDzTO5VrMsR9qgAAEQAAAAIAABEAAAAVgAAAEQAAACFAAAARAAAANdgA
ABEAAAAHAAARAAAAAgAAEQAAADCoAAARAAAAFoAAABEAAAAWAAAAEQAAABGAAAARAAAAAgAAEQAAAAcAABEAAABhLeAAABEA
AABXjoAAABEAAABkNiAAABEAAAA3kAAAEQAAADEwAAARAAAANEAAABEAAABXjwAAABEAAABhLgAAABEAAAA5iAAAEQAAAC2w
AAARAAAAnkofgAAAEQAAAM5iSSSSSSSQAAARAAAAxpJJJJJJJAAAEQAAAMe1VJfWXNQAAAkAAEAAAAkAAEAAAAkAAEAAABEA
AAACAAARAAAAFwAAABEAAADK8HwfB8HwQAAAEQAAANf/Bzuog21VyAAAEQAAAA0AABEAAAAN
"""


def noise(seed: int) -> list[int]:
    """Numbers from 0 to 999 that look like chance, and are the same everywhere."""
    found = []
    for _ in range(ROWS):
        seed = (seed * 1_103_515_245 + 12_345) % 2**31
        found.append(seed // 65_536 % 1000)
    return found


def columns() -> Columns:
    """Numbers on every grid, predicted in every way, with holes, small and large."""
    ragged, used, user, system = noise(1), noise(2), noise(3), noise(4)
    ts = [1_800_000_000_000 + 5000 * row + (3 if row % 7 else 0) for row in range(ROWS)]
    ts = [moment + (7_200_000 if row > 30 else 0) for row, moment in enumerate(ts)]
    nan = float("nan")
    values: dict[str, list[float]] = {
        "cpu.user_pct": [number / 20 for number in user],
        "cpu.system_pct": [number / 10 for number in system],
        "cpu.pct": [(a + 2 * b + a % 7 * 9) / 20 for a, b in zip(user, system, strict=True)],
        "mem.used_bytes": [float(sum(used[: row + 1]) << 20) for row in range(ROWS)],
        "mem.available_bytes": [
            float((64_000 - sum(used[: row + 1])) << 20) for row in range(ROWS)
        ],
        "mem.pct": [sum(used[: row + 1]) // 64 / 10 for row in range(ROWS)],
        "net.rx_bytes_per_s/eth0": [float(number // 100 * 10 ** (number % 9)) for number in ragged],
        "disk.pct//mnt/ü b": [nan if 9 < row < 20 else 61.5 for row in range(ROWS)],
        "uptime.s": [float(5 * row if row < 31 else 5 * row - 155) for row in range(ROWS)],
        "new.bits": [number / 7 for number in ragged],
        "new.large": [float((-1) ** row * 2**52 // (row + 1)) for row in range(ROWS)],
        "new.hole": [1.0 if row == 40 else nan for row in range(ROWS)],
    }
    seq = [row + (17_000_000 if row > 30 else 0) for row in range(ROWS)]
    return Columns(
        np.array(seq),
        np.array(ts),
        {key: np.array(series, np.float64) for key, series in values.items()},
    )


def buckets() -> Buckets:
    return Buckets.of_samples(columns(), STEP_MS).with_rounded_averages()


def body_of(text: str) -> bytes:
    return base64.b64decode("".join(text.split()))


def test_columns_of_version_1_are_read() -> None:
    assert frame.VERSION == 1
    some_columns.assert_same(codec.decode_columns(body_of(COLUMNS)), columns())


def test_buckets_of_version_1_are_read() -> None:
    found = codec.decode_buckets(body_of(BUCKETS), STEP_MS)
    assert found.ts.tolist() == buckets().ts.tolist()
    test_sealed_buckets.assert_same(found, buckets())


def test_each_way_to_keep_a_series_is_among_them() -> None:
    """All grids and models, holes and extra bits: what is kept here stands for the whole format."""
    packed, _ = frame.unseal(body_of(COLUMNS))
    fields = msgspec.msgpack.decode(packed, type=tables._Description).fields
    assert {field.scale.grid for field in fields} == set(Grid)
    assert {field.of_changes for field in fields if not field.sources} == {True, False}
    assert {field.of_changes for field in fields if field.sources} == {True, False}
    assert {len(field.sources) for field in fields} >= {0, 1, 2}
    for stream in range(3):
        assert any(field.sizes[stream] for field in fields)
    assert any(not any(field.sizes) for field in fields)
    assert any(field.weights and not field.sources for field in fields)
