"""A client on fastmcp, with its own OAuth: it listens for the callback by itself.

    python fastmcpflow.py URL CLIENT_ID

Out comes {"open": URL}, which a person opens in a browser, then {"tools": [names]} and
{"text": of a query's result}. It speaks 2026-07-28, which negotiates no version.
"""

import asyncio
import json
import sys

from fastmcp import Client
from fastmcp.client.auth import OAuth

endpoint, client_id = sys.argv[1:3]


def say(**line):
    print(json.dumps(line), flush=True)


class Told(OAuth):
    """Says what it would open."""

    async def redirect_handler(self, authorization_url):
        say(open=authorization_url)


async def main():
    auth = Told(client_id=client_id, callback_host="127.0.0.1")
    async with Client(endpoint, auth=auth) as client:
        say(tools=sorted(tool.name for tool in await client.list_tools()))
        result = await client.call_tool("soqlQuery", {"q": "SELECT Id, Name FROM Account LIMIT 2"})
        say(text="".join(part.text for part in result.content))


asyncio.run(main())
