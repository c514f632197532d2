"""Figures of cards, through NVIDIA's own binding: only the library below it is a stand-in, which
answers as real cards did (tests/data/nvml names the sources)."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from forge_agent.sampling import asking, gpus
from forge_agent.sampling.gpus import Gpus

CARDS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "nvml" / "cards.json").read_text(encoding="utf-8")
)
GTX, LITTLE, SPARK, ORIN = CARDS


class Driver:
    """A machine's driver with its cards; ``lost``: numbers of cards that fell off the bus."""

    def __init__(self, *cards: dict[str, Any]) -> None:
        self.cards = list(cards)
        self.lost: set[int] = set()
        self.broken: int | None = None
        self.started = 0
        self.calls: list[str] = []

    def check(self, number: int | None = None) -> None:
        if self.broken is not None:
            raise pynvml.NVMLError(self.broken)
        if number in self.lost:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)

    def start(self) -> None:
        self.check()
        self.started += 1

    def handle(self, number: int) -> int:
        self.check(number)
        return number

    def answer(self, what: str) -> Callable[..., Any]:
        def ask(number: int, *_: object) -> Any:
            self.calls.append(what)
            self.check(number)
            told = self.cards[number].get(what, "NOT_SUPPORTED")
            if told == "NOT_SUPPORTED":
                raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
            return SimpleNamespace(**told) if isinstance(told, dict) else told

        return ask


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    driver = Driver()
    monkeypatch.setattr(gpus, "driver_is_there", lambda: True)
    monkeypatch.setattr(pynvml, "nvmlInit", driver.start)
    monkeypatch.setattr(pynvml, "nvmlShutdown", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: len(driver.cards))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", driver.handle)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetName", lambda number: driver.cards[number]["name"])
    for what in (
        "nvmlDeviceGetUtilizationRates",
        "nvmlDeviceGetMemoryInfo",
        "nvmlDeviceGetTemperature",
        "nvmlDeviceGetPowerUsage",
    ):
        monkeypatch.setattr(pynvml, what, driver.answer(what))
    return driver


def test_a_card(driver: Driver) -> None:
    driver.cards = [GTX]
    assert Gpus().read().gauges == {
        "gpu.pct/GeForce GTX 1060 3GB": 5,
        "gpu.mem_total_bytes/GeForce GTX 1060 3GB": 3156738048,
        "gpu.mem_used_bytes/GeForce GTX 1060 3GB": 685441024,
        "gpu.celsius/GeForce GTX 1060 3GB": 42,
        "gpu.watts/GeForce GTX 1060 3GB": 6.697,
    }


def test_what_a_card_does_not_tell_is_left_out_and_not_asked_again(driver: Driver) -> None:
    driver.cards = [LITTLE, SPARK]
    family = Gpus()
    gauges = {
        "gpu.mem_total_bytes/a card": 4236312576,
        "gpu.mem_used_bytes/a card": 312934400,
        "gpu.pct/NVIDIA GB10": 0,
        "gpu.celsius/NVIDIA GB10": 35,
        "gpu.watts/NVIDIA GB10": 11.17,
    }
    assert family.read().gauges == gauges
    driver.calls.clear()
    assert family.read().gauges == gauges
    assert len(driver.calls) == 4


def test_cards_of_one_name_are_told_apart_for_good(driver: Driver) -> None:
    driver.cards = [GTX, GTX]
    family = Gpus()
    temperatures = {"gpu.celsius/GeForce GTX 1060 3GB", "gpu.celsius/GeForce GTX 1060 3GB#1"}
    assert {key for key in family.read().gauges if "celsius" in key} == temperatures
    driver.lost = {0}
    remaining = family.read().gauges
    assert {key for key in remaining if "celsius" in key} == {"gpu.celsius/GeForce GTX 1060 3GB#1"}
    driver.lost = set()
    assert {key for key in family.read().gauges if "celsius" in key} == temperatures


def test_a_driver_that_goes_and_comes_back_is_found_again_after_a_minute(driver: Driver) -> None:
    now_s = 0.0
    driver.cards = [GTX]
    family = Gpus(clock=lambda: now_s)
    assert family.read().gauges
    driver.broken = pynvml.NVML_ERROR_DRIVER_NOT_LOADED
    assert family.read().gauges == {}
    driver.broken = None
    now_s = 59.0
    assert family.read().gauges == {}
    now_s = 60.0
    assert family.read().gauges
    assert driver.started == 2


def test_a_driver_that_does_not_start_is_tried_once_a_minute(driver: Driver) -> None:
    now_s = 0.0
    driver.cards = [GTX]
    driver.broken = pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
    family = Gpus(clock=lambda: now_s)
    assert family.read().gauges == {}
    driver.broken = None
    assert family.read().gauges == {}
    now_s = 61.0
    assert family.read().gauges


def test_a_card_that_tells_nothing_costs_no_more_than_a_try_a_minute(driver: Driver) -> None:
    driver.cards = [ORIN]
    family = Gpus(clock=lambda: 0.0)
    assert [family.read().gauges for _ in range(3)] == [{}, {}, {}]
    assert driver.started == 1
    assert len(driver.calls) == 4


def test_without_a_driver_its_library_is_not_even_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gpus, "driver_is_there", lambda: False)
    monkeypatch.delitem(sys.modules, "pynvml")
    assert Gpus().read().gauges == {}
    assert "pynvml" not in sys.modules


def test_without_the_extra_there_are_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "driver_is_there", lambda: True)
    monkeypatch.setitem(sys.modules, "pynvml", None)
    family = Gpus()
    assert [family.read().gauges for _ in range(2)] == [{}, {}]


def test_where_nvidias_library_is_missing_its_binding_says_so_and_nothing_breaks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(_: str) -> None:
        raise OSError("libnvidia-ml.so.1: cannot open shared object file")

    monkeypatch.setattr(gpus, "driver_is_there", lambda: True)
    monkeypatch.setattr(pynvml, "CDLL", missing)
    assert Gpus().read().gauges == {}


def test_a_driver_that_hangs_holds_up_no_sample(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "PATIENCE_S", 0.05)
    hanging = threading.Event()
    answer = driver.answer("nvmlDeviceGetPowerUsage")

    def hangs(*handle: int) -> int:
        assert hanging.wait(30)
        return int(answer(*handle))

    driver.cards = [GTX]
    family = Gpus()
    assert family.read().gauges
    monkeypatch.setattr(pynvml, "nvmlDeviceGetPowerUsage", hangs)
    began_s = time.monotonic()
    assert [family.read().gauges for _ in range(3)] == [{}, {}, {}]
    assert time.monotonic() - began_s < 2
    hanging.set()
    for _ in range(100):
        if family.read().gauges:
            break
        time.sleep(0.02)
    assert family.read().gauges
