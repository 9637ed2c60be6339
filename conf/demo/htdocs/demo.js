// The page works without this: forms then open the server's answer, and text is copied by hand.
'use strict';

for (const pre of document.querySelectorAll('article pre')) {
    const button = document.createElement('button');
    button.textContent = 'Copy';
    button.className = 'copy';
    button.addEventListener('click', async () => {
        try {
            await navigator.clipboard.writeText(pre.textContent);
            button.textContent = 'Copied';
        } catch {                               // not at localhost: mark it, to be copied by hand
            getSelection().selectAllChildren(pre);
            button.textContent = 'Marked';
        }
        setTimeout(() => { button.textContent = 'Copy'; }, 1500);
    });
    pre.before(button);
}

const reply = document.getElementById('reply');
for (const form of document.forms) {
    form.addEventListener('submit', async event => {
        event.preventDefault();
        const path = new URL(form.action).pathname;
        let text;
        try {
            const body = form.method === 'post' ? new URLSearchParams(new FormData(form)) : undefined;
            const response = await fetch(path, { method: form.method, body });
            text = `${response.status} ${response.statusText}\n`
                + JSON.stringify(JSON.parse(await response.text()), null, 2);
        } catch (error) {
            text = String(error);
        }
        reply.textContent = `${form.method.toUpperCase()} ${path}\n${text}`;
        reply.hidden = false;
        reply.scrollIntoView({ block: 'nearest' });
    });
}

// What is typed into the first form stands in the second one too.
for (const input of document.querySelectorAll('[data-to]')) {
    input.addEventListener('input', () => {
        for (const other of document.getElementsByName(input.dataset.to)) other.value = input.value;
    });
}

// The messages, the newest first. Texts go into the page as text, an address in them as a link.
const sent = document.getElementById('sent');
let shown = '';

function item(message) {
    const li = document.createElement('li');
    const title = document.createElement('b');
    const text = document.createElement('p');
    title.textContent = `${message.channel === 'sms' ? 'SMS' : 'Mail'} to ${message.to}`
        + (message.subject ? ` · ${message.subject}` : '');
    for (const part of message.text.split(/(https?:\/\/[^\s<>"]+)/)) {
        if (/^https?:/.test(part)) {
            const a = document.createElement('a');
            a.href = a.textContent = part;
            text.append(a);
        } else {
            text.append(part);
        }
    }
    li.append(title, text);
    return li;
}

async function poll() {
    try {
        const response = await fetch('messages.jsonl', { cache: 'no-cache' });
        const text = response.ok ? await response.text() : '';
        const lines = text.slice(0, text.lastIndexOf('\n') + 1);    // one may be half written
        if (lines !== shown) {
            shown = lines;
            sent.replaceChildren(...lines.split('\n').filter(Boolean).slice(-50).reverse()
                .map(line => item(JSON.parse(line))));
        }
    } catch { /* the server is away: the next time */ }
}

if (sent) {
    poll();
    setInterval(() => { if (!document.hidden) poll(); }, 1500);
}
