"""The servers are there (tools/stack), the tables too, before any test."""

import pytest

import harness


@pytest.fixture(scope="session", autouse=True)
def tables():
    harness.stack("up")
    harness.signalbox("migrate")
    harness.connect_redis().config_set("client-output-buffer-limit", "pubsub 0 0 0")
    harness.create_topics("signals", "signals.filtered", "analyzer.signals", "orders", "executions")


@pytest.fixture
def symbol():
    return harness.unique_symbol()


@pytest.fixture
def produced():
    return harness.Produced()
