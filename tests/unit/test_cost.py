from common.cost import cost
from common.settings import PriceSettings, load_settings


def test_without_a_price_there_is_no_cost():
    assert cost(PriceSettings(), {"diarization": 10.0}) is None


def test_every_worker_with_a_price_is_counted_by_its_seconds():
    prices = PriceSettings(diarization=0.0002, transcription=0.0003, orchestrator=0.00001, currency="EUR")
    seconds = {"diarization": 10.0, "transcription": 20.0, "orchestrator": 30.0}
    assert cost(prices, seconds) == {
        "currency": "EUR",
        "diarization": 0.002,
        "transcription": 0.006,
        "orchestrator": 0.0003,
        "total": 0.0083,
    }


def test_a_worker_without_a_price_is_left_out_and_one_that_did_not_run_costs_nothing():
    prices = PriceSettings(diarization=0.0002, transcription=0.0003)
    assert cost(prices, {"transcription": 1.0, "orchestrator": 100.0}) == {
        "currency": "USD",
        "diarization": 0.0,
        "transcription": 0.0003,
        "total": 0.0003,
    }


def test_the_total_is_rounded_once():
    prices = PriceSettings(diarization=0.0000004, transcription=0.0000004, orchestrator=0.0000004)
    parts = cost(prices, {"diarization": 1.0, "transcription": 1.0, "orchestrator": 1.0})
    assert (parts["diarization"], parts["total"]) == (0.0, 0.000001)


def test_the_prices_are_those_of_the_settings():
    prices = load_settings({"TRANSCRIPTION_PRICE_PER_SECOND": "0.5", "PRICE_CURRENCY": "CHF"}).prices
    assert cost(prices, {"transcription": 2.0}) == {"currency": "CHF", "transcription": 1.0, "total": 1.0}
