"""Tests speak to this machine alone: pyproject.toml lets sockets to it through, and no others."""

import socket
from contextlib import closing

import pytest
from pytest_socket import SocketConnectBlockedError

ELSEWHERE = ("192.0.2.1", 443)  # set aside for documentation: nobody has it


@pytest.mark.filterwarnings("ignore:A test tried to use")  # said beside the refusal
def test_s5_a_test_cannot_reach_another_machine() -> None:
    with closing(socket.socket()) as probe, pytest.raises(SocketConnectBlockedError):
        probe.connect(ELSEWHERE)


def test_s5_a_test_reaches_this_machine() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        socket.create_connection(server.getsockname(), timeout=10).close()
