"""What benches/fleet runs in the virtual environment of the peers: the same eight steps on all hosts.

    fleet_peers.py asyncssh SETTINGS.json         one process, every step's status, output and duration collected; bare, or in
                                                   the capsules that turnus runs its steps in
    fleet_peers.py relay PORT TARGET-PORT SECONDS  a line on which every packet takes its time, to the same address
"""
import asyncio
import json
import re
import sys
import time


async def put_in_capsules(line, settings, address):
    """Has the host take the capsule, as turnus does. Returns a command for each step and for cleaning up, with what it reads and
    what it must answer."""
    take = f"""sh -c 'capsule=$(cat) && eval "$capsule"' turnus take 0 {settings["memory"]}/{address} {settings["run"]} 1 yes"""
    with open(settings["capsule"]) as file:
        answer = await line.run(take, input=file.read())
    home = re.search("^home (.*)$", answer.stdout, re.MULTILINE)[1]
    steps = [(f"sh {home}/capsule run {number} 1 h.{number} 600 1048576 65536 0 plain", f"\n{script}\nend {number}\n", "\nrc 0 no\n")
             for number, script in enumerate(settings["scripts"])]
    return [*steps, (f"sh {home}/capsule clean 0 h", "", "\nend\n")]


async def run_asyncssh(settings):
    import asyncssh

    turns = asyncio.Semaphore(settings["parallel"])
    results = {}

    async def work(address):
        async with turns:
            async with asyncssh.connect(address, port=settings["port"], username=settings["user"], config=None,
                                        client_keys=[settings["key"]], known_hosts=settings["known_hosts"]) as line:
                results[address] = []
                steps = [(step, None, "") for step in settings["steps"]]
                if settings["capsule"]:
                    steps = await put_in_capsules(line, settings, address)
                for command, text, wanted in steps:
                    began = time.monotonic()
                    answer = await line.run(command, input=text)
                    status = answer.exit_status if wanted in answer.stdout else "cut short"
                    results[address].append((status, answer.stdout, time.monotonic() - began))

    await asyncio.gather(*(work(address) for address in settings["addresses"]))
    statuses = [status for steps in results.values() for status, _, _ in steps]
    with open(settings["durations"], "w") as file:
        json.dump([took for steps in results.values() for _, _, took in steps], file)
    wanted = len(settings["addresses"]) * len(settings["steps"])
    sys.exit(0 if statuses.count(0) == len(statuses) >= wanted else "asyncssh did not do its job")


async def relay(port, target, seconds):
    """Half of the round trip for each way. The address that was called is the one that is called on."""
    loop = asyncio.get_running_loop()

    async def carry(reader, writer):
        while data := await reader.read(65536):
            loop.call_later(seconds, writer.write, data)
        loop.call_later(seconds, writer.close)

    async def serve(reader, writer):
        address = writer.get_extra_info("sockname")[0]
        far_reader, far_writer = await asyncio.open_connection(address, target)
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "0.0.0.0", port, backlog=2000)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "asyncssh":
        with open(sys.argv[2]) as file:
            asyncio.run(run_asyncssh(json.load(file)))
    else:
        asyncio.run(relay(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
