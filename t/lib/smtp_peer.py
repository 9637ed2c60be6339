#!/usr/bin/python3
"""An SMTP server for tests: says yes, no or nothing, and writes down what it got.

smtp_peer.py --port N --messages FILE [--mode FILE] [--certificate PEM --tls starttls|first] [--user U --password P]

The file of --mode holds one mode, read again at each command, so that a test can change it meanwhile:
  accept    250 to everything
  refuse    550 to RCPT (the reply holds the recipient, as real servers' do)
  defer     451 to RCPT
  close     421 to RCPT
  sender    553 to MAIL
  content   554 after the letter
  delay     nothing for a minute after the letter, then 250
  lost      takes the letter, writes it down, and goes away without a word
  drop      goes away at RCPT without a word
  slow X    nothing for a minute to RCPT of somebody at the domain X; 250 to everything else
Each letter is a line of JSON: from, to (a list), letter (as it came), tls, user.
"""
import argparse
import asyncio
import json
import ssl

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

arguments = argparse.ArgumentParser()
for name in 'port', 'messages', 'mode', 'certificate', 'tls', 'user', 'password':
    arguments.add_argument('--' + name)
options = arguments.parse_args()

REPLY_TO_RCPT = {
    'refuse': '550 5.1.1 <%s>: Recipient address rejected: User unknown',
    'defer': '451 4.7.1 <%s>: Greylisted, try again later',
    'close': '421 4.3.2 <%s>: Service not available',
}


def mode():
    if not options.mode:
        return 'accept'
    with open(options.mode) as file:
        return file.read().strip()


def write_down(session, envelope):
    line = json.dumps({
        'from': envelope.mail_from,
        'to': envelope.rcpt_tos,
        'letter': envelope.content.decode('utf-8', 'replace'),
        'tls': session.ssl is not None or options.tls == 'first',
        'user': session.auth_data.decode() if session.auth_data else None,
    })
    with open(options.messages, 'a') as file:
        file.write(line + '\n')


class Handler:
    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        if mode() == 'sender':
            return '553 5.7.1 <%s>: Sender address rejected' % address
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return '250 OK'

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if mode() == 'slow ' + address.rpartition('@')[2]:
            await asyncio.sleep(60)
        if mode() == 'drop':
            server.transport.abort()
        if mode() in REPLY_TO_RCPT:
            return REPLY_TO_RCPT[mode()] % address
        envelope.rcpt_tos.append(address)
        return '250 OK'

    async def handle_DATA(self, server, session, envelope):
        if mode() == 'content':
            return '554 5.7.1 %s does not want this' % envelope.rcpt_tos[0]
        if mode() == 'delay':
            await asyncio.sleep(60)
        write_down(session, envelope)
        if mode() == 'lost':
            server.transport.abort()
        return '250 OK'


def authenticate(server, session, envelope, mechanism, data):
    right = data.login == options.user.encode() and data.password == options.password.encode()
    return AuthResult(success=right, handled=False, auth_data=data.login)


def context():
    if not options.certificate:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(options.certificate)
    return made


class Peer(Controller):
    def factory(self):
        given = {}
        if options.tls == 'starttls':
            given['tls_context'] = context()
        if options.user:
            given.update(authenticator=authenticate, auth_required=True, auth_require_tls=False)
        return SMTP(self.handler, hostname='peer.test', **given)


Peer(Handler(), hostname='127.0.0.1', port=int(options.port),
     ssl_context=context() if options.tls == 'first' else None).start()
asyncio.new_event_loop().run_forever()
