"""A client on MCP's Python package 1.8, which has no OAuth of its own yet.

    python mcpflow.py URL ACCESS_TOKEN

Out comes {"version": negotiated}, {"tools": [names]}, {"text": of a query's result}.
"""

import asyncio
import json
import sys

from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamablehttp_client

endpoint, token = sys.argv[1:3]


def say(**line):
    print(json.dumps(line), flush=True)


async def main():
    async with streamablehttp_client(endpoint, headers={"Authorization": f"Bearer {token}"}) as (read, write, _):
        async with ClientSession(read, write) as session:
            say(version=str((await session.initialize()).protocolVersion))
            say(tools=sorted(tool.name for tool in (await session.list_tools()).tools))
            result = await session.call_tool("soqlQuery", {"q": "SELECT Id, Name FROM Account LIMIT 2"})
            say(text="".join(part.text for part in result.content))


asyncio.run(main())
