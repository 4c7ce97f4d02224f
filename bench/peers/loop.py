"""The bare loop: boto3's SendEmail in threads. It stores nothing and handles no failure."""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from bench.peers.line import await_start, say


def job(count: int, in_flight: int) -> None:
    """Send an email to each of so many addresses."""
    message = json.loads(Path(os.environ["MESSAGE_FILE"]).read_text())
    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=in_flight)
    client: Any = boto3.client("sesv2", config=config)
    body = {"Html": {"Data": message["html"]}, "Text": {"Data": message["text"]}}
    content = {"Simple": {"Subject": {"Data": message["subject"]}, "Body": body}}

    def send(number: object) -> None:
        address = f"success+{number}@simulator.amazonses.com"
        client.send_email(
            FromEmailAddress=message["sender"],
            Destination={"ToAddresses": [address]},
            Content=content,
        )

    send("warm")
    await_start()
    began, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(in_flight) as executor:
        list(executor.map(send, range(count)))
    say(f"took 0 {time.perf_counter() - began} {time.process_time() - cpu}")


if __name__ == "__main__":
    order, _url, *numbers = sys.argv[1:]
    {"install": lambda *_: None, "job": job}[order](*map(int, numbers))
