"""A mail server for tests. Argument: its configuration as JSON. Prints its port, and ends when its standard input does.

What it takes goes to a record of one JSON object per line. What it does wrong, the recipient's address says (see RECIPIENTS);
"later-17@…" is a recipient of the kind "later".
"""

import asyncio
import json
import os
import re
import smtplib
import ssl
import sys
import warnings

from aiosmtpd.smtp import SMTP, AuthResult

RECIPIENTS = """
later    450, the first time; then as any other
busy     450, always
never    550
bye      421 and the end of the connection, always
hang     no answer to RCPT
drop     the content is recorded, and the connection ends without an answer, the first time; then as any other
lost     the same, always
mute     the content is recorded, and no answer comes
spam     554 after the content
"""
FOREVER = 3600


class Handler:
    def __init__(self, settings):
        self.settings = settings
        self.seen = set()
        self.sessions = 0
        self.record = os.open(settings["record"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, session, what, **fields):
        if not hasattr(session, "number"):
            self.sessions += 1
            session.number = self.sessions
        line = {"what": what, "session": session.number, **fields}
        os.write(self.record, (json.dumps(line) + "\n").encode())

    def is_first(self, what, address):
        is_first = (what, address) not in self.seen
        self.seen.add((what, address))
        return is_first

    async def handle_MAIL(self, server, session, envelope, address, options):
        session.letters = getattr(session, "letters", 0) + 1
        if session.letters > self.settings["letters_per_connection"]:
            return self.end(server, "421 4.7.0 enough for this connection")
        if kind(address) == "forbidden":
            return "553 5.7.1 sender address rejected: not owned by user"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 fine"

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.note(session, "recipient", to=address)
        match kind(address):
            case "hang":
                await asyncio.sleep(FOREVER)
            case "never":
                return "550 5.1.1 \x1b[31mno such mailbox"
            case "busy":
                return "450 4.2.1 mailbox busy"
            case "bye":
                return self.end(server, "421 4.3.2 shutting down")
            case "later" if self.is_first("later", address):
                return "450 4.7.1 greylisted, try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server, session, envelope):
        for recipient in envelope.rcpt_tos:
            self.note(
                session,
                "letter",
                sender=envelope.mail_from,
                recipient=recipient,
                options=envelope.mail_options,
                user=session.auth_data.login.decode() if session.auth_data else None,
                tls=server.transport.get_extra_info("ssl_object") is not None,
                raw=envelope.original_content.decode("utf-8", "surrogateescape"),
            )
        address = envelope.rcpt_tos[-1]
        match kind(address):
            case "spam":
                return "554 5.7.1 looks like spam"
            case "mute":
                await asyncio.sleep(FOREVER)
            case "lost":
                server.transport.abort()
            case "drop" if self.is_first("drop", address):
                server.transport.abort()
        await asyncio.sleep(self.settings["delay_ms"] / 1000)
        if self.settings["hands_over_to"]:
            # Mail arrives a while after it was taken.
            loop = asyncio.get_running_loop()
            loop.call_later(0.6, loop.run_in_executor, None, self.hand_over, envelope)
        return "250 2.0.0 taken"

    def hand_over(self, envelope):
        with smtplib.LMTP(self.settings["address"], self.settings["hands_over_to"]) as lmtp:
            lmtp.sendmail(envelope.mail_from, envelope.rcpt_tos, envelope.original_content)

    def end(self, server, answer):
        asyncio.get_running_loop().call_later(0.01, server.transport.close)
        return answer

    def authenticate(self, server, session, envelope, mechanism, data):
        name, password = data.login.decode(), data.password.decode()
        is_right = [name, password] == [self.settings["user"], self.settings["password"]]
        self.note(session, "login", user=name, mechanism=mechanism, accepted=is_right)
        if is_right:
            return AuthResult(success=True, auth_data=data)
        # As servers do that nobody should use.
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 wrong password '{password}' of {name}")


def kind(address):
    return re.match("[a-z]*", address).group()


async def main(settings):
    warnings.simplefilter("ignore")
    handler = Handler(settings)
    context = None
    if settings["security"] != "none":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(settings["certificate"], settings["key"])
    is_starttls = settings["security"] == "starttls"

    def session():
        return SMTP(
            handler,
            hostname="mail.provider.test",
            enable_SMTPUTF8=settings["unicode_addresses"],
            tls_context=context if is_starttls else None,
            require_starttls=is_starttls,
            auth_required=settings["user"] is not None,
            auth_require_tls=is_starttls,
            auth_exclude_mechanism=settings["without_logins"],
            authenticator=handler.authenticate,
            timeout=FOREVER,
        )

    loop = asyncio.get_running_loop()
    wrapped = context if settings["security"] == "tls" else None
    server = await loop.create_server(session, settings["address"], settings["port"], ssl=wrapped, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    # The test that started it holds the other end: it is gone when that is closed, however the test ended.
    await loop.run_in_executor(None, sys.stdin.read)
    os._exit(0)


asyncio.run(main(json.loads(sys.argv[1])))
